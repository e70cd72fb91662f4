import { type RedisConnection, serversOf } from './connection.ts'
import { parseInfo } from './info.ts'

/** Says how full Redis is, without asking it each time. */
export type MemoryWatch = {
  /** Share of `maxmemory` in use on the fullest server; 0 where there is no limit. */
  fullness(): Promise<number>
}

const FRESH_MS = 1_000

/** Watches the memory of the servers behind a connection; asks at most once a second. */
export function watchMemory(redis: RedisConnection): MemoryWatch {
  let askedAt = Number.NEGATIVE_INFINITY
  let answer: Promise<number> = Promise.resolve(0)
  return {
    fullness() {
      if (performance.now() - askedAt > FRESH_MS) {
        askedAt = performance.now()
        answer = readFullness(redis)
        // Whoever waits for it is told; the next one asks again.
        answer.catch(() => {
          askedAt = Number.NEGATIVE_INFINITY
        })
      }
      return answer
    },
  }
}

async function readFullness(redis: RedisConnection): Promise<number> {
  const shares = await Promise.all(
    serversOf(redis).map(async (server) => {
      const info = parseInfo(await server.info('memory'))
      const limit = Number(info.get('maxmemory') ?? 0)
      return limit > 0 ? Number(info.get('used_memory') ?? 0) / limit : 0
    }),
  )
  return Math.max(0, ...shares)
}
