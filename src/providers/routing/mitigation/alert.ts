/** Alerts that ask for mitigations: written to Redis, where the processes that route find them within a second. */

import type { Config } from '../../../config/config.ts'
import type { RedisConnection } from '../../../redis/connection.ts'
import { createRouteTable } from '../route-table.ts'
import { createMitigationStore } from './store.ts'

/** An alert that fires. */
export type RouteAlert = {
  /** The same however often it is delivered; another one for the next time that it fires. */
  readonly id: string
  /** `provider/model`. */
  readonly route: string
  /** Who asks, for the history. */
  readonly note: string
}

export type AlertOutcome = {
  readonly route: string
  /** Aliases whose first route it is and that have a fallback. */
  readonly aliases: readonly string[]
  /** `unknown`: it is the first route of no alias that has a fallback. */
  readonly outcome: 'requested' | 'repeated' | 'unknown'
}

export type AskForMitigation = (alert: RouteAlert) => Promise<AlertOutcome>

const LONGEST_NOTE = 200

/** What an alert about a route asks for, by this configuration. Rejects when Redis cannot be reached. */
export function createAskForMitigation(config: Config, redis: RedisConnection): AskForMitigation {
  const table = createRouteTable(config)
  const store = createMitigationStore(redis, config.redis.prefix)
  return async ({ id, route, note }) => {
    const aliases = table.aliases
      .filter(({ routes, mitigation }) => mitigation !== undefined && routes[0]?.name === route)
      .map(({ alias }) => alias)
    if (aliases.length === 0) return { route, aliases, outcome: 'unknown' }
    const isNew = await store.request(id, note.slice(0, LONGEST_NOTE), aliases)
    return { route, aliases, outcome: isNew ? 'requested' : 'repeated' }
  }
}
