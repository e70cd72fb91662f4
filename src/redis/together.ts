import type { RedisConnection } from './connection.ts'

/** Runs `whole` where one server has all keys of it, else `parts`. Rejects with what either of them rejects with. */
export type Together = <T>(whole: () => Promise<T>, parts: () => Promise<T>) => Promise<T>

/** At its start, as errors of Redis name themselves: further on it may be somebody's name in a message of ours. */
const REFUSED = /^(?:ERR )?CROSSSLOT\b/

/**
 * What could be one script, as one script where that is possible: not on a cluster, where its keys are in several slots,
 * and not behind a proxy that refuses such a command, which it does before anything of it is done.
 */
export function createTogether(redis: Pick<RedisConnection, 'isCluster'>): Together {
  let isSplit = redis.isCluster
  return async (whole, parts) => {
    if (isSplit) return parts()
    try {
      return await whole()
    } catch (error) {
      if (!(error instanceof Error && REFUSED.test(error.message))) throw error
      isSplit = true
      return parts()
    }
  }
}
