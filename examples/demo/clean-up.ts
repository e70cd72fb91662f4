import { closeRedis, connectRedis } from '../../src/redis/connection.ts'

/** Removes what the demo has left in a Redis that is not its own. */
export async function cleanUp(url: string, prefix: string): Promise<void> {
  const redis = await connectRedis(url)
  for (const pattern of [`${prefix}:*`, `{${prefix}:*`]) {
    for await (const keys of redis.scanStream({ match: pattern, count: 500 })) {
      if (keys.length > 0) await redis.unlink(...(keys as string[]))
    }
  }
  await closeRedis(redis)
}
