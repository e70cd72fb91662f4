import type { Reason } from '../../../errors.ts'
import type { HealthState } from '../breaker/states.ts'
import { createDecayingCount, type DecayingCount } from './decaying-count.ts'

/**
 * One number a route, 0 to 1, out of its state and of what this process has seen lately:
 *
 *   score = factor of the state × (successes + 2) / (successes + failures + 2)
 *
 * Counts have a half-life of 5 minutes; HTML and stalls count twice, since they are what clients notice last; the 2
 * keeps one failure of a quiet route from being news. A closed route without traffic has 1.
 */
export type HealthScores = {
  succeeded(route: string): void
  failed(route: string, reason: Reason): void
  scoreOf(route: string, state: HealthState): number
}

const FACTORS: Readonly<Record<HealthState, number>> = { closed: 1, degraded: 0.75, half_open: 0.25, open: 0 }
const DOUBLED: ReadonlySet<Reason> = new Set(['html_payload', 'stall'])
const HALF_LIFE_MS = 5 * 60_000
const PRIOR = 2

/** Scores of nothing yet. `now`: monotonic milliseconds. */
export function createHealthScores(now: () => number): HealthScores {
  const routes = new Map<string, { readonly good: DecayingCount; readonly bad: DecayingCount }>()
  const entryOf = (route: string) => {
    const count = (): DecayingCount => createDecayingCount({ halfLifeMs: HALF_LIFE_MS, now })
    const entry = routes.get(route) ?? { good: count(), bad: count() }
    routes.set(route, entry)
    return entry
  }
  return {
    succeeded: (route) => entryOf(route).good.add(),
    failed: (route, reason) => entryOf(route).bad.add(DOUBLED.has(reason) ? 2 : 1),
    scoreOf(route, state) {
      const entry = routes.get(route)
      const good = entry?.good.value() ?? 0
      const bad = entry?.bad.value() ?? 0
      return healthScore(state, { good, bad })
    },
  }
}

/** The score of a route in that state with these counts. */
export function healthScore(
  state: HealthState,
  { good, bad }: { readonly good: number; readonly bad: number },
): number {
  return FACTORS[state] * ((good + PRIOR) / (good + bad + PRIOR))
}
