/** A route as the whole fleet has it, as plain data: for the command line and the HTTP face. */

import type { RouteConfig } from '../../../config/config.ts'
import type { RouteHealth } from '../breaker/mirror.ts'
import type { HealthState, TransitionReason } from '../breaker/states.ts'
import type { SeenCounts } from '../breaker/store.ts'
import { healthScore } from '../measures/health-score.ts'
import type { RouteTable } from '../route-table.ts'

export type RouteReport = RouteConfig & {
  readonly aliases: readonly string[]
  readonly state: HealthState
  /** Epoch milliseconds of the last change; null if there was none. */
  readonly since: number | null
  /** Why it changed then; null if it never did. */
  readonly reason: TransitionReason | null
  /** Epoch milliseconds of the next probe; null unless it is open or half-open. */
  readonly nextProbeAt: number | null
  /** What somebody has decided it to be for now, and who and why. */
  readonly forced: 'open' | 'closed' | null
  readonly note: string | null
  /** 0 to 1, from the state and what the fleet has seen within the window of `breakers.errors`. */
  readonly healthScore: number
  /** Within the same window. */
  readonly attempts: number
  readonly failures: number
}

export type ReportSources = {
  readonly view: (route: string) => RouteHealth
  /** In the order of the table's routes; none where nothing is known. */
  readonly counts: readonly SeenCounts[]
  /** Epoch milliseconds. */
  readonly now: number
}

/** Every route of the table, in its order. */
export function routeReports(table: RouteTable, { view, counts, now }: ReportSources): RouteReport[] {
  return table.routes.map((route, i) => {
    const { state, since, reason, nextProbeInMs, forced, note } = view(route.name)
    const { attempts, failures } = counts[i] ?? { attempts: 0, failures: 0 }
    return {
      ...route,
      aliases: table.aliasesOf(route.name),
      state,
      since: since ?? null,
      reason: reason ?? null,
      nextProbeAt: nextProbeInMs === undefined ? null : Math.round(now + nextProbeInMs),
      forced: forced ?? null,
      note: note ?? null,
      healthScore: healthScore(state, { good: attempts - failures, bad: failures }),
      ...{ attempts, failures },
    }
  })
}
