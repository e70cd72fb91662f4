/** What speaks against each route of an alias, in words. */

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
  readonly unfit?: ReadonlyMap<string, unknown> | undefined
  /** Why a route may not serve this caller, in words; undefined where it may. */
  readonly exclude?: ((route: WeightedRoute) => string | undefined) | undefined
}

/** Judges a route by the strategy of its alias. */
export function judge(
  route: WeightedRoute,
  { strategy, call }: { strategy: Strategy; call: CallKnowledge },
  { health: healths, credentials, places }: JudgeWorld,
): Judged {
  const health = healths.view(route.name)
  const standing = credentials?.standing(route.provider) ?? KEYLESS
  const isBusy = places?.isFull(route.provider) ?? false
  const { fit, why } = verdictOn({ route, health, standing, isBusy, strategy }, call)
  const keyWaitMs = standing.kind === 'unusable' ? standing.inMs : 0
  const waitMs = Math.max(keyWaitMs, health.nextProbeInMs ?? 0)
  return { route, health, fit, isBusy, waitMs, why }
}

const KEYLESS: Standing = { kind: 'keyless' }

type Facts = Pick<Judged, 'route' | 'health' | 'isBusy'> & {
  readonly standing: Standing
  readonly strategy: Strategy
}

type Verdict = Pick<Judged, 'fit' | 'why'>

const CLOSED: Verdict = { fit: 'ready', why: 'closed' }

/** What speaks against a route, the weightiest first. */
function verdictOn(
  { route, health, standing, isBusy, strategy }: Facts,
  { exclude, unfit }: CallKnowledge,
): Verdict {
  const excluded = exclude?.(route)
  if (excluded !== undefined) return { fit: 'never', why: `excluded: ${excluded}` }
  if (unfit?.has(route.name)) {
    return { fit: 'never', why: `cannot serve this request${messageOf(unfit.get(route.name))}` }
  }
  if (health.forced === 'open') {
    const by = health.note ? ` by ${health.note}` : ''
    return { fit: 'never', why: `forced open${by}${untilOf(health)}` }
  }
  if (standing.kind === 'unusable') {
    return { fit: 'last_resort', why: `no usable credential: ${standing.why}` }
  }
  if (!isUsable(health.state)) {
    const fit = looksAtHealth(strategy) ? 'last_resort' : 'ready'
    return { fit, why: `${stateOf(health)}${untilOf(health)}` }
  }
  if (isBusy) {
    return { fit: 'ready', why: `${stateOf(health)}, but all places of ${route.provider} are taken` }
  }
  const why = stateOf(health)
  return why === 'closed' ? CLOSED : { fit: 'ready', why }
}

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
