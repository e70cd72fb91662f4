/** The strategies: how the routes of an alias are ordered, as rows of what is compared. */

import type { Strategy, WeightedRoute } from '../../../config/config.ts'
import { rankOf } from '../breaker/states.ts'
import type { Judged } from './judge.ts'

export type OrderWorld = {
  /** What a route costs; undefined where no price is known. Default: of no route. */
  readonly priceOf?: (route: WeightedRoute) => number | undefined
  /** How slow a route is. Default: all alike. */
  readonly slownessOf?: (route: WeightedRoute) => number
}

/** Smaller comes first. */
type Key = (judged: Judged, world: OrderWorld) => number

const byState: Key = ({ health }) => rankOf(health.state)
const byRoom: Key = ({ isBusy }) => (isBusy ? 1 : 0)
/** What has no price comes last. */
const byPrice: Key = ({ route }, { priceOf }) => priceOf?.(route) ?? Number.MAX_VALUE
const bySlowness: Key = ({ route }, { slownessOf }) => slownessOf?.(route) ?? 0

/** What each strategy compares, the weightiest first; where all is equal, the configured order stays. */
const KEYS: Readonly<Record<Strategy, readonly Key[]>> = {
  first_available: [byRoom],
  first_healthy: [byState, byRoom],
  best_effort: [byState, byRoom],
  cheapest: [byState, byRoom, byPrice],
  fastest: [byState, byRoom, bySlowness],
}

/** What decides the order where health does not, in words. */
export const ORDERED_BY: Readonly<Record<Strategy, string>> = {
  first_available: 'configured order, whatever health says',
  first_healthy: 'configured order',
  best_effort: 'configured order',
  cheapest: 'price',
  fastest: 'time to first content',
}

/** The routes in the order in which they are tried. */
export function order(all: readonly Judged[], strategy: Strategy, world: OrderWorld): readonly Judged[] {
  const keys = KEYS[strategy]
  const compare = (a: Judged, b: Judged): number => {
    for (const key of keys) {
      const difference = key(a, world) - key(b, world)
      if (difference !== 0) return difference
    }
    return 0
  }
  // While all is well the configured order is the right one.
  const isInOrder = all.every((one, i) => i === 0 || compare(all[i - 1]!, one) <= 0)
  return isInOrder ? all : all.toSorted(compare)
}

/** The configured order, with each run of neighbours that have weights drawn by them. */
export function drawByWeight(
  routes: readonly WeightedRoute[],
  random: () => number,
): readonly WeightedRoute[] {
  if (routes.every(({ weight }) => weight === undefined)) return routes
  return runsOf(routes).flatMap((run) => (run.length > 1 ? draw(run, random) : run))
}

function runsOf(routes: readonly WeightedRoute[]): readonly (readonly WeightedRoute[])[] {
  const runs: WeightedRoute[][] = []
  for (const route of routes) {
    const last = runs.at(-1)
    if (route.weight !== undefined && last?.[0]?.weight !== undefined) last.push(route)
    else runs.push([route])
  }
  return runs
}

/** Each place goes to one of the rest with the chance of its weight (Efraimidis and Spirakis, 2006). */
function draw(run: readonly WeightedRoute[], random: () => number): readonly WeightedRoute[] {
  return run
    .map((route) => ({ route, key: random() ** (1 / (route.weight ?? 1)) }))
    .sort((a, b) => b.key - a.key)
    .map(({ route }) => route)
}
