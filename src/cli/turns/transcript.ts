/**
 * What has happened in a turn, in its order: its events with the deltas joined, the attempts and decisions of each model
 * step, and what the breakers of its routes did meanwhile. What the fleet keeps no longer is left out: events after
 * `queue.eventTtl`, moves of breakers after the next thousand.
 */

import type { Transition } from '../../providers/routing/breaker/states.ts'
import type { StepAttempt, StepDecision, TurnEvent, TurnRecord, TurnStep } from '../../queue/types.ts'

type Delta = Extract<TurnEvent, { type: 'text.delta' | 'reasoning.delta' }>

export type TranscriptEntry =
  | { readonly type: 'event'; readonly at: number; readonly event: Exclude<TurnEvent, Delta> }
  /** What the model said in a step; not what a restart has discarded. */
  | {
      readonly type: 'text' | 'reasoning'
      readonly at: number
      readonly stepId: string
      readonly text: string
    }
  | { readonly type: 'attempt'; readonly stepId: string | null; readonly attempt: StepAttempt }
  | { readonly type: 'decision'; readonly stepId: string; readonly decision: StepDecision }
  | ({ readonly type: 'circuit' } & Transition)

export type TurnTranscript = {
  readonly turn: TurnRecord
  readonly entries: readonly TranscriptEntry[]
}

export type TranscriptSources = {
  /** All that are kept, in their order. */
  readonly events: readonly TurnEvent[]
  /** Of all breakers. */
  readonly moves: readonly Transition[]
}

/** A breaker opens when its process has told Redis: that may be a moment after the turn that saw the failure. */
const LATE_MS = 2_000

/** The transcript of a turn, from what is kept of it. */
export function transcriptOf(turn: TurnRecord, { events, moves }: TranscriptSources): TurnTranscript {
  const steps = new Map((turn.result?.steps ?? []).map((step) => [step.id, step]))
  const told = joinDeltas(events).flatMap((entry) => withStep(entry, steps))
  // Steps whose events have expired, or were taken over from the turn that this one repeats.
  const untold = [...steps.values()].flatMap(stepEntries)
  return { turn, entries: mergeByTime([...untold, ...told], circuitEntries(turn, moves)) }
}

function joinDeltas(events: readonly TurnEvent[]): TranscriptEntry[] {
  const entries: TranscriptEntry[] = []
  for (const event of events) {
    if (event.type === 'step.restarted') {
      const { stepId } = event
      const kept = entries.filter((entry) => !isSaid(entry) || entry.stepId !== stepId)
      entries.splice(0, entries.length, ...kept)
    }
    if (event.type !== 'text.delta' && event.type !== 'reasoning.delta') {
      entries.push({ type: 'event', at: event.at, event })
      continue
    }
    const type = event.type === 'text.delta' ? 'text' : 'reasoning'
    const last = entries.at(-1)
    if (last !== undefined && isSaid(last) && last.type === type && last.stepId === event.stepId) {
      entries[entries.length - 1] = { ...last, text: last.text + event.delta }
    } else {
      entries.push({ type, at: event.at, stepId: event.stepId, text: event.delta })
    }
  }
  return entries
}

function isSaid(entry: TranscriptEntry): entry is Extract<TranscriptEntry, { type: 'text' | 'reasoning' }> {
  return entry.type === 'text' || entry.type === 'reasoning'
}

/** Puts what led to a step's answer before its end, once; what led to a turn's failure before that. */
function withStep(entry: TranscriptEntry, steps: Map<string, TurnStep>): readonly TranscriptEntry[] {
  if (entry.type !== 'event') return [entry]
  const { event } = entry
  if (event.type === 'turn.failed') {
    const attempts = event.error.attempts ?? []
    return [...attempts.map((attempt) => ({ type: 'attempt' as const, stepId: null, attempt })), entry]
  }
  if (event.type !== 'step.completed') return [entry]
  const step = steps.get(event.stepId)
  steps.delete(event.stepId)
  return step === undefined ? [entry] : [...stepEntries(step), entry]
}

const BEFORE_ATTEMPTS: ReadonlySet<string> = new Set(['plan', 'act', 'pass_over', 'images_as_text'])

/** What was decided before the first attempt, then each attempt with what it led to. */
function stepEntries({ id: stepId, attempts = [], decisions = [] }: TurnStep): readonly TranscriptEntry[] {
  const toEntry = (decision: StepDecision): TranscriptEntry => ({ type: 'decision', stepId, decision })
  const isBefore = ({ type }: StepDecision): boolean => BEFORE_ATTEMPTS.has(type)
  const following = decisions.filter((decision) => !isBefore(decision))
  return [
    ...decisions.filter(isBefore).map(toEntry),
    ...attempts.flatMap((attempt, i): TranscriptEntry[] => {
      const [next] = following.slice(i, i + 1)
      return [{ type: 'attempt', stepId, attempt }, ...(next ? [toEntry(next)] : [])]
    }),
    ...following.slice(attempts.length).map(toEntry),
  ]
}

/** The moves of the breakers of every route that the turn has touched, in its time. */
function circuitEntries(turn: TurnRecord, moves: readonly Transition[]): readonly TranscriptEntry[] {
  const { startedAt, endedAt, result } = turn
  if (startedAt === undefined) return []
  const until = (endedAt ?? Number.POSITIVE_INFINITY) + LATE_MS
  const routes = new Set([
    ...(result?.steps ?? []).flatMap(({ attempts = [], decisions = [] }) => [
      ...attempts.map(({ route }) => route),
      ...decisions.flatMap(({ from, to }) => [from, to]),
    ]),
    ...(result?.error?.attempts ?? []).map(({ route }) => route),
  ])
  return moves
    .filter(({ route, at }) => routes.has(route) && at >= startedAt && at <= until)
    .map((move) => ({ type: 'circuit', ...move }))
}

/** Both in their own order; what has no time goes with what stands before it. */
function mergeByTime(
  told: readonly TranscriptEntry[],
  circuit: readonly TranscriptEntry[],
): readonly TranscriptEntry[] {
  const waiting = [...circuit]
  const merged: TranscriptEntry[] = []
  for (const entry of told) {
    while ('at' in entry && waiting[0] !== undefined && 'at' in waiting[0] && waiting[0].at < entry.at) {
      merged.push(waiting[0])
      waiting.shift()
    }
    merged.push(entry)
  }
  return [...merged, ...waiting]
}
