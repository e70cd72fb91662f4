import type { RedisConnection } from '../redis/connection.ts'
import type { TurnKeys } from '../redis/keys.ts'
import type { Standing } from './journal-types.ts'
import { hashToRecord } from './records.ts'
import type { TurnRecord, TurnState } from './types.ts'

/** The reading half of the journal; nothing here changes a turn. Rejects only when Redis cannot be reached. */
export function createJournalReads(redis: RedisConnection, keysOf: (turnId: string) => TurnKeys) {
  return {
    /** A turn as it stands, or undefined where no such turn is kept. */
    async read(turnId: string): Promise<TurnRecord | undefined> {
      const hash = await redis.hgetall(keysOf(turnId).turn)
      return Object.keys(hash).length === 0 ? undefined : hashToRecord(Object.entries(hash).flat())
    },

    /** The state of a turn, or undefined where no such turn is kept. */
    async stateOf(turnId: string): Promise<TurnState | undefined> {
      return ((await redis.hget(keysOf(turnId).turn, 'state')) ?? undefined) as TurnState | undefined
    },

    /** How turns stand, in one round trip and cheaply, undefined for one that is not kept: for the reconciler. */
    async standings(turnIds: readonly string[]): Promise<readonly (Standing | undefined)[]> {
      if (turnIds.length === 0) return []
      const [time, ...found] = await Promise.all([
        redis.time(),
        ...turnIds.map((turnId) =>
          redis.hmget(keysOf(turnId).turn, 'state', 'leaseUntil', 'dueAt', 'holdUntil', 'worker'),
        ),
      ])
      const nowMs = Number(time[0]) * 1000 + Number(time[1]) / 1000
      const left = (until: string | null | undefined): number => Number(until ?? 0) - nowMs
      return found.map(([state, leaseUntil, dueAt, holdUntil, worker]) =>
        state
          ? {
              state: state as TurnState,
              leaseLeftMs: left(leaseUntil),
              dueInMs: left(dueAt),
              holdLeftMs: left(holdUntil),
              worker: worker ?? '',
            }
          : undefined,
      )
    },
  }
}
