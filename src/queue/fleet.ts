import type { RedisConnection } from '../redis/connection.ts'
import { globalKeys } from '../redis/keys.ts'
import { loadScript } from '../redis/scripts.ts'

/** Who works here, and which agents they have. */
export type Fleet = {
  /** Makes a worker known for `ttlMs`; call it again before that has passed. */
  register(worker: string, agents: readonly string[], ttlMs: number): Promise<void>
  leave(worker: string): Promise<void>
  /** Every registered worker with a value that changes at each `register`. */
  signs(): Promise<ReadonlyMap<string, string>>
}

export function createFleet(redis: RedisConnection, prefix: string): Fleet {
  const { workers, agents } = globalKeys(prefix)
  const register = loadScript('register', import.meta.url)
  return {
    async register(worker, names, ttlMs) {
      await register.run(redis, [workers, agents], [worker, ttlMs, ...names])
    },
    async leave(worker) {
      await register.run(redis, [workers, agents], [worker, 0])
    },
    async signs() {
      const flat = await redis.zrange(workers, '0', '-1', 'WITHSCORES')
      return new Map(flat.flatMap((name, i) => (i % 2 === 0 ? [[name, flat[i + 1] ?? '']] : [])))
    },
  }
}
