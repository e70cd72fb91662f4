import type { RedisConnection } from '../redis/connection.ts'
import { globalKeys } from '../redis/keys.ts'

/** What the turns of a segment have cost on a day (UTC); a turn counts when it has ended. */
export type Spend = {
  add(segment: string, usd: number): Promise<void>
  /** US dollars so far today. */
  today(segment: string): Promise<number>
}

const KEPT_SECONDS = 2 * 24 * 3600

export function createSpend(redis: RedisConnection, prefix: string): Spend {
  const keyOf = (segment: string): string => {
    const day = new Date().toISOString().slice(0, 10)
    return `${globalKeys(prefix).spend}:${day}:${segment}`
  }
  return {
    async add(segment, usd) {
      const key = keyOf(segment)
      await redis.multi().incrbyfloat(key, usd).expire(key, KEPT_SECONDS).exec()
    },
    today: async (segment) => Number(await redis.get(keyOf(segment))),
  }
}
