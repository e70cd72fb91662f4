/** What speaks against each route of an alias, in words: rows of data, of which the first that applies decides. */

import type { Strategy, WeightedRoute } from '../../../config/config.ts'
import type { RouteHealth } from '../breaker/mirror.ts'
import { isUsable } from '../breaker/states.ts'
import type { Standing } from '../credentials/credentials.ts'

/**
 * `ready`: may be chosen. `last_resort`: only by a direct call to which nothing else is left. `never`: not at all.
 */
export type Fit = 'ready' | 'last_resort' | 'never'

export type Judged = {
  readonly route: WeightedRoute
  readonly health: RouteHealth
  readonly fit: Fit
  /** All places of its provider are taken. */
  readonly isBusy: boolean
  /** Until it may be worth another look, in milliseconds; 0 for now. */
  readonly waitMs: number
  /** Why it is fit for that, in words. */
  readonly why: string
}

export type JudgeWorld = {
  readonly health: { view(route: string): RouteHealth }
  /** Default: no provider needs a credential. */
  readonly credentials?: { standing(provider: string): Standing }
  /** Default: there is always room. */
  readonly places?: { isFull(provider: string): boolean }
}

/** What is known of one call. */
export type CallKnowledge = {
  /** Routes that cannot serve the request; a value with a `message` says why. */
  readonly unfit?: ReadonlyMap<string, unknown>
  /** Why a route may not serve this caller, in words; undefined where it may. */
  readonly exclude?: (route: WeightedRoute) => string | undefined
}

/** Judges a route by the strategy of its alias. */
export function judge(
  route: WeightedRoute,
  { strategy, call }: { strategy: Strategy; call: CallKnowledge },
  { health: healths, credentials, places }: JudgeWorld,
): Judged {
  const health = healths.view(route.name)
  const standing = credentials?.standing(route.provider) ?? { kind: 'keyless' }
  const isBusy = places?.isFull(route.provider) ?? false
  const facts: Facts = { route, health, standing, isBusy, strategy, ...call }
  const { fit, why } = firstVerdict(facts)
  const keyWaitMs = standing.kind === 'unusable' ? standing.inMs : 0
  const waitMs = Math.max(keyWaitMs, health.nextProbeInMs ?? 0)
  return { route, health, fit, isBusy, waitMs, why }
}

function firstVerdict(facts: Facts): Verdict {
  for (const row of ROWS) {
    const verdict = row(facts)
    if (verdict !== undefined) return verdict
  }
  return READY
}

type Facts = CallKnowledge & {
  readonly route: WeightedRoute
  readonly health: RouteHealth
  readonly standing: Standing
  readonly isBusy: boolean
  readonly strategy: Strategy
}

type Verdict = { readonly fit: Fit; readonly why: string }

const READY: Verdict = { fit: 'ready', why: 'closed' }

/** In the order of their weight. */
const ROWS: readonly ((facts: Facts) => Verdict | undefined)[] = [
  ({ route, exclude }) => {
    const why = exclude?.(route)
    return why === undefined ? undefined : { fit: 'never', why: `excluded: ${why}` }
  },
  ({ route, unfit }) =>
    unfit?.has(route.name)
      ? { fit: 'never', why: `cannot serve this request${messageOf(unfit.get(route.name))}` }
      : undefined,
  ({ health }) =>
    health.forced === 'open'
      ? { fit: 'never', why: `forced open${health.note ? ` by ${health.note}` : ''}${untilOf(health)}` }
      : undefined,
  ({ standing }) =>
    standing.kind === 'unusable'
      ? { fit: 'last_resort', why: `no usable credential: ${standing.why}` }
      : undefined,
  ({ health, strategy }) =>
    isUsable(health.state)
      ? undefined
      : {
          fit: looksAtHealth(strategy) ? 'last_resort' : 'ready',
          why: `${stateOf(health)}${untilOf(health)}`,
        },
  ({ route, isBusy, health }) =>
    isBusy
      ? { fit: 'ready', why: `${stateOf(health)}, but all places of ${route.provider} are taken` }
      : undefined,
  ({ health }) => ({ fit: 'ready', why: stateOf(health) }),
]

/** Whether open routes are passed over. */
function looksAtHealth(strategy: Strategy): boolean {
  return strategy !== 'first_available' && strategy !== 'best_effort'
}

function stateOf({ state, reason, forced, note }: RouteHealth): string {
  if (forced === 'closed') return `forced closed${note ? ` by ${note}` : ''}`
  return reason === undefined || state === 'closed' ? state : `${state} (${reason.replaceAll('_', ' ')})`
}

function untilOf({ nextProbeInMs }: RouteHealth): string {
  return nextProbeInMs === undefined ? '' : `, next probe in ${Math.ceil(nextProbeInMs / 1000)} s`
}

function messageOf(reason: unknown): string {
  return reason instanceof Error ? `: ${reason.message}` : ''
}
