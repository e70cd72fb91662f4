/** From the name that a client asks for to the routes that may serve it, best first. Decides from memory alone. */

import type { AliasConfig, RouteConfig } from '../../config/config.ts'
import type { RouteHealth } from './breaker/mirror.ts'
import { isUsable, rankOf } from './breaker/states.ts'
import type { RouteTable } from './route-table.ts'

/** A route that may be tried, with its health at the moment of the choice. */
export type Candidate = { readonly route: RouteConfig; readonly health: RouteHealth }

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
      /** Until the earliest probe may be sent; absent for `no_route`. */
      readonly nextProbeInMs?: number
    }

export type ChooseOptions = {
  /** With every route open: `try` the one that will be probed first (default), or `wait`: none. */
  readonly whenAllOpen?: 'try' | 'wait'
  /** Routes that cannot serve the request; they are passed over. */
  readonly unfit?: ReadonlyMap<string, unknown>
}

export type Router = {
  choose(model: string, options?: ChooseOptions): Choice
}

export type RouterOptions = {
  readonly table: RouteTable
  /** `Health`, or whatever else knows. */
  readonly health: { view(route: string): RouteHealth }
}

/** A router over `table`. */
export function createRouter({ table, health }: RouterOptions): Router {
  return {
    choose(model, { whenAllOpen = 'try', unfit } = {}) {
      const alias = table.find(model)
      if (alias === undefined) return { kind: 'none', reason: 'no_route' }
      const all = alias.routes
        .filter(({ name }) => !unfit?.has(name))
        .map((route) => ({ route, health: health.view(route.name) }))
      const [first, ...others] = order(all, alias.strategy)
      if (first !== undefined) {
        return { kind: 'routes', alias: alias.alias, candidates: [first, ...others], isLastResort: false }
      }
      const best = soonestProbed(all)
      if (best === undefined) return { kind: 'none', reason: 'no_route' }
      if (whenAllOpen === 'try') {
        return { kind: 'routes', alias: alias.alias, candidates: [best], isLastResort: true }
      }
      return { kind: 'none', reason: 'breaker_open', nextProbeInMs: best.health.nextProbeInMs ?? 0 }
    },
  }
}

function order(all: readonly Candidate[], strategy: AliasConfig['strategy']): readonly Candidate[] {
  switch (strategy) {
    case 'first_available':
      return all
    case 'first_healthy':
      return all.filter(({ health }) => isUsable(health.state)).sort(byHealth)
  }
}

/** Equal ones stay in configured order: the sort is stable. */
function byHealth(a: Candidate, b: Candidate): number {
  return rankOf(a.health.state) - rankOf(b.health.state)
}

function soonestProbed(all: readonly Candidate[]): Candidate | undefined {
  const wait = ({ health }: Candidate): number => health.nextProbeInMs ?? 0
  return all.toSorted((a, b) => wait(a) - wait(b))[0]
}
