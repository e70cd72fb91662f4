/** From the name that a client asks for to the routes that may serve it, best first. Decides from memory alone. */

import type { AliasConfig, Strategy, WeightedRoute } from '../../config/config.ts'
import type { RouteHealth } from './breaker/mirror.ts'
import { type HealthState, isUsable } from './breaker/states.ts'
import { type CallKnowledge, type Judged, type JudgeWorld, judge } from './choice/judge.ts'
import { drawByWeight, ORDERED_BY, type OrderWorld, order } from './choice/order.ts'
import type { MitigationView } from './mitigation/machine.ts'
import type { RouteTable } from './route-table.ts'

/** A route that may be tried, with its health at the moment of the choice. */
export type Candidate = { readonly route: WeightedRoute; readonly health: RouteHealth }

export type Choice =
  | {
      readonly kind: 'routes'
      readonly alias: string
      /** At least one. */
      readonly candidates: readonly [Candidate, ...Candidate[]]
      /** No route is usable; the candidate is the least bad one. */
      readonly isLastResort: boolean
    }
  | {
      readonly kind: 'none'
      /** `no_route`: nothing has that name. `breaker_open`: no route of it is usable now. */
      readonly reason: 'no_route' | 'breaker_open'
      /** Until the earliest probe may be sent, or a credential has rested; absent for `no_route`. */
      readonly nextProbeInMs?: number
    }

export type ChooseOptions = CallKnowledge & {
  /** With every route open: `try` the one that will be probed first (default), or `wait`: none. */
  readonly whenAllOpen?: 'try' | 'wait' | undefined
}

/** A choice with its reasons: every route of the alias, those to be tried first and in their order. */
export type Explanation = {
  readonly model: string
  readonly strategy: Strategy
  /** Present where the alias has a fallback. While it has moved, the candidates of the fallback come first. */
  readonly mitigation?: MitigationView
  readonly candidates: readonly {
    readonly route: string
    readonly state: HealthState
    /** It would be tried first. */
    readonly chosen: boolean
    /** 1 for the one that is tried first; null for one that is not tried. */
    readonly place: number | null
    /** In words. */
    readonly reason: string
  }[]
}

export type Router = {
  choose(model: string, options?: ChooseOptions): Choice
  /** What `choose` would do now, and why; undefined for a name that leads nowhere. */
  explain(model: string, options?: ChooseOptions): Explanation | undefined
}

/** `health` is `Health`, or whatever else knows. */
export type RouterOptions = JudgeWorld &
  OrderWorld & {
    readonly table: RouteTable
    /** 0 to 1; for the draw by weights. Default `Math.random`. */
    readonly random?: () => number
  }

/** A router over `table`. */
export function createRouter(options: RouterOptions): Router {
  const { table } = options
  return {
    choose(model, call = {}) {
      const alias = table.find(model)
      if (alias === undefined) return { kind: 'none', reason: 'no_route' }
      return surveyToChoice(alias, survey(alias, call, options))
    },
    explain(model, call = {}) {
      const alias = table.find(model)
      return alias && surveyToExplanation(alias, model, survey(alias, call, options))
    },
  }
}

/** All routes of an alias, judged and in order, and those of them that may be tried. */
type Survey = {
  readonly judged: readonly Judged[]
  readonly tried: readonly Judged[]
  readonly isLastResort: boolean
}

function survey(alias: AliasConfig, call: ChooseOptions, options: RouterOptions): Survey {
  const { strategy } = alias
  const { whenAllOpen = 'try' } = call
  const routes = drawByWeight(alias.routes, options.random ?? Math.random)
  const judged = order(
    routes.map((route) => judge(route, { strategy, call }, options)),
    strategy,
    options,
  )
  const ready = judged.every(isReady) ? judged : judged.filter(isReady)
  const mustWait = whenAllOpen === 'wait' && !ready.some(({ health }) => isUsable(health.state))
  if (ready.length > 0 && !mustWait) return { judged, tried: ready, isLastResort: false }
  if (mustWait) return { judged, tried: [], isLastResort: false }
  const resort = judged.filter(({ fit }) => fit === 'last_resort').toSorted((a, b) => a.waitMs - b.waitMs)
  return { judged, tried: resort.slice(0, 1), isLastResort: true }
}

const isReady = ({ fit }: Judged): boolean => fit === 'ready'

function surveyToChoice({ alias }: AliasConfig, { judged, tried, isLastResort }: Survey): Choice {
  if (isSome(tried)) return { kind: 'routes', alias, candidates: tried, isLastResort }
  const possible = judged.filter(({ fit, health }) => fit !== 'never' || health.forced === 'open')
  if (possible.length === 0) return { kind: 'none', reason: 'no_route' }
  return {
    kind: 'none',
    reason: 'breaker_open',
    nextProbeInMs: Math.min(...possible.map(({ waitMs }) => waitMs)),
  }
}

function isSome<T>(list: readonly T[]): list is readonly [T, ...T[]] {
  return list.length > 0
}

function surveyToExplanation(
  { strategy }: AliasConfig,
  model: string,
  { judged, tried, isLastResort }: Survey,
): Explanation {
  const rest = judged.filter((one) => !tried.includes(one))
  return {
    model,
    strategy,
    candidates: [
      ...tried.map((one, i) => ({
        route: one.route.name,
        state: one.health.state,
        chosen: i === 0,
        place: i + 1,
        reason: triedReason(one, { place: i, before: tried[i - 1], strategy, isLastResort }),
      })),
      ...rest.map((one) => ({
        route: one.route.name,
        state: one.health.state,
        chosen: false,
        place: null,
        reason: one.fit === 'ready' ? `${one.why}: a queued call waits for the probe` : one.why,
      })),
    ],
  }
}

type Place = {
  readonly place: number
  readonly before: Judged | undefined
  readonly strategy: Strategy
  readonly isLastResort: boolean
}

function triedReason(
  { why, health, route }: Judged,
  { place, before, strategy, isLastResort }: Place,
): string {
  if (isLastResort) return `last resort, since no route is usable: ${why}`
  const by = ORDERED_BY[strategy]
  const share = route.weight === undefined ? '' : `, weight ${route.weight}`
  if (before === undefined) return `${why}; first by ${by}${share}`
  const isWorse = strategy !== 'first_available' && health.state !== before.health.state
  const after = isWorse ? `after ${before.health.state} ones` : `number ${place + 1} by ${by}`
  return `${why}; ${after}${share}`
}
