/**
 * Counts what went wrong, from the effect log and what each turn's journal says. The counts are the same for both
 * subjects, so that the control measures with the same rule.
 */

import type { EffectLine } from './effect-log.ts'
import type { FaultCounts } from './faults.ts'
import { FAULT_KINDS } from './plan.ts'
import type { Story } from './story.ts'
import type { Death } from './worker-pool.ts'

/** The line of `npm run chaos -- --json`. */
export type Verdict = {
  readonly turns: number
  readonly seed: number
  readonly control: boolean
  readonly completed: number
  readonly failed: number
  readonly cancelled: number
  readonly lost: number
  readonly unsafeTwice: number
  readonly stepsRerun: number
  readonly orderViolations: number
  readonly needsReview: number
  readonly reviewReal: number
  readonly faults: FaultCounts
  readonly recoveryMs: { readonly p50: number | null; readonly p99: number | null }
  readonly config: Readonly<Record<string, unknown>>
  readonly wallMs: number
}

export type Evidence = {
  readonly seed: number
  readonly control: boolean
  readonly stories: readonly Story[]
  readonly effects: readonly EffectLine[]
  readonly deaths: readonly Death[]
  readonly faults: FaultCounts
  readonly config: Readonly<Record<string, unknown>>
  readonly wallMs: number
}

/** A tool writes its line a moment before its step can be committed: clocks of one machine, in milliseconds. */
const CLOCK_SLACK_MS = 5

export function judge({ stories, effects, deaths, ...rest }: Evidence): Verdict {
  const accepted = stories.filter((story) => story.turnId !== undefined)
  const count = (state: Story['state']): number => accepted.filter((story) => story.state === state).length
  const reviews = accepted.flatMap((story) => story.reviews)
  const { seed, control, faults, config, wallMs } = rest
  return {
    turns: accepted.length,
    seed,
    control,
    completed: count('completed'),
    failed: count('failed'),
    cancelled: count('cancelled'),
    lost: count('lost'),
    unsafeTwice: unsafeTwice(effects).length,
    stepsRerun: stepsRerun(accepted, effects).length,
    orderViolations: orderViolations(accepted, effects).length,
    needsReview: reviews.length,
    reviewReal: reviews.filter((review) => review.real).length,
    faults,
    recoveryMs: percentiles(recoveries(accepted, deaths).map(({ ms }) => ms)),
    config,
    wallMs: Math.round(wallMs),
  }
}

/** Planned calls of the unsafe tool that ran more than once. */
export function unsafeTwice(effects: readonly EffectLine[]): string[] {
  const runs = Map.groupBy(
    effects.filter((line) => line.tool === 'pay'),
    (line) => line.call,
  )
  return [...runs].filter(([, lines]) => lines.length > 1).map(([call]) => call)
}

/** Runs of a tool that began after the journal had its result, and steps that began again after their end. */
export function stepsRerun(stories: readonly Story[], effects: readonly EffectLine[]): string[] {
  const committed = new Map(stories.flatMap((story) => [...story.committed]))
  const late = effects.filter((line) => line.at > (committed.get(line.key) ?? Infinity) + CLOCK_SLACK_MS)
  const restarted = stories.filter((story) => story.restarted > 0)
  return [...late.map((line) => line.call), ...restarted.map((story) => story.planned.id)]
}

/** Turns of a session of which one began, or did something for the first time, before the one ahead had ended. */
export function orderViolations(stories: readonly Story[], effects: readonly EffectLine[]): string[] {
  const first = new Map<string, number>()
  effects.forEach((line, i) => {
    if (!first.has(line.call)) first.set(line.call, i)
  })
  const placesOf = ({ planned }: Story): number[] =>
    planned.steps.flat().flatMap((call) => first.get(call.id) ?? [])
  const inOrder = stories.filter((story) => story.state !== 'cancelled')
  return [...Map.groupBy(inOrder, (story) => story.planned.session).values()].flatMap((ofSession) =>
    ofSession.flatMap((story, i) => {
      const ahead = ofSession[i - 1]
      if (!ahead) return []
      const early = (story.startedAt ?? Infinity) < (ahead.endedAt ?? 0)
      const crossed = Math.min(...placesOf(story)) < Math.max(...placesOf(ahead))
      return early || crossed ? [`${ahead.planned.id} ${story.planned.id}`] : []
    }),
  )
}

/** From each kill -9 to the next claim of each turn that the dead worker was running. */
export function recoveries(
  stories: readonly Story[],
  deaths: readonly Death[],
): { readonly turnId: string; readonly ms: number }[] {
  return deaths.flatMap(({ pid, at }) =>
    stories.flatMap(({ starts, turnId = '', endedAt = Infinity }) => {
      const next = starts.findIndex((start) => start.at > at)
      const held = starts.at(next === -1 ? -1 : next - 1)
      const taken = starts[next]
      return held?.pid === pid && held.at <= at && endedAt > at && taken
        ? [{ turnId, ms: taken.at - at }]
        : []
    }),
  )
}

/** 0 clean, 1 a violation, 2 void: a run that could not have shown one. */
export function exitCode(verdict: Verdict, unasked: number): 0 | 1 | 2 {
  const rare = FAULT_KINDS.some((kind) => verdict.faults[kind] < verdict.turns / 100)
  if (verdict.control) return rare || verdict.unsafeTwice === 0 ? 2 : 0
  const { lost, unsafeTwice: twice, stepsRerun: rerun, orderViolations: order, failed } = verdict
  if (lost + twice + rerun + order + failed + unasked > 0) return 1
  return rare ? 2 : 0
}

function percentiles(values: readonly number[]): Verdict['recoveryMs'] {
  const sorted = values.toSorted((a, b) => a - b)
  const at = (share: number): number | null =>
    sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? null
  return { p50: at(0.5), p99: at(0.99) }
}
