import type { Reason } from '../errors.ts'
import type { RedisConnection } from '../redis/connection.ts'
import { globalKeys } from '../redis/keys.ts'
import type { TurnResult } from './types.ts'

/** Failed for these reasons, a turn was given up without having been run to an end: it is a dead letter. */
const REASONS: ReadonlySet<Reason> = new Set(['poisoned', 'unknown_agent'])

/** Lists a turn that has ended among the dead letters, if it is one, for `ttlMs`; rejects when Redis is gone. */
export type Bury = (turnId: string, result: TurnResult | undefined) => Promise<void>

export function createBury(
  redis: RedisConnection,
  { prefix, ttlMs }: { readonly prefix: string; readonly ttlMs: number },
): Bury {
  const { dead } = globalKeys(prefix)
  return async (turnId, result) => {
    if (!isDeadLetter(result)) return
    const now = Date.now()
    await redis.zadd(dead, now, turnId)
    await redis.zremrangebyscore(dead, '-inf', String(now - ttlMs))
    await redis.pexpire(dead, ttlMs)
  }
}

/** Whether a turn with this result was given up. */
export function isDeadLetter(result: TurnResult | undefined): boolean {
  return result?.error !== undefined && REASONS.has(result.error.reason)
}
