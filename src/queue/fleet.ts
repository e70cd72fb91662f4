import type { RedisConnection } from '../redis/connection.ts'
import { globalKeys } from '../redis/keys.ts'
import { loadScript } from '../redis/scripts.ts'

/** Who works here, and which agents they have. */
export type Fleet = {
  /**
   * Makes a worker known for `ttlMs`; call it again before that has passed. Every registered worker, with a value that
   * changes at each `register`.
   */
  register(worker: string, agents: readonly string[], ttlMs: number): Promise<ReadonlyMap<string, string>>
  leave(worker: string): Promise<void>
}

export function createFleet(redis: RedisConnection, prefix: string): Fleet {
  const { workers, agents } = globalKeys(prefix)
  const register = loadScript('register', import.meta.url)
  return {
    async register(worker, names, ttlMs) {
      const flat = (await register.run(redis, [workers, agents], [worker, ttlMs, ...names])) as string[]
      return new Map(flat.flatMap((name, i) => (i % 2 === 0 ? [[name, flat[i + 1] ?? '']] : [])))
    },
    async leave(worker) {
      await register.run(redis, [workers, agents], [worker, 0])
    },
  }
}
