import { closeRedis, connectRedis, serversOf } from '../../src/redis/connection.ts'

/** Removes what the demo has left in a Redis that is not its own. */
export async function cleanUp(url: string, prefix: string): Promise<void> {
  const redis = await connectRedis(url)
  for (const pattern of [`${prefix}:*`, `{${prefix}:*`]) {
    for (const server of serversOf(redis)) {
      for await (const keys of server.scanStream({ match: pattern, count: 500 })) {
        for (const key of keys as string[]) await redis.unlink(key)
      }
    }
  }
  await closeRedis(redis)
}
