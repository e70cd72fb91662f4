import type { Config } from '../../config/config.ts'
import { closeRedis, connectRedis } from '../../redis/connection.ts'
import { openRedis } from '../../redis/embedded.ts'
import { createRecordStore, type RecordReader } from './record-store.ts'

export type OpenRecords = RecordReader & AsyncDisposable

/**
 * The records of a fleet, for a program that only reads them: it joins a Redis and never starts one.
 * @throws TurnkeeperError `queue/redis_unavailable`.
 */
export async function openRecords(
  { redis: where, recorder }: Pick<Config, 'redis' | 'recorder'>,
  { warn = () => {} }: { readonly warn?: (message: string) => void } = {},
): Promise<OpenRecords> {
  const { url, dataDir, prefix } = where
  const server = await openRedis({ url, dataDir, durability: 'none', mayStart: false, warn })
  const redis = await connectRedis(server.url)
  const { list, get } = createRecordStore({ redis, prefix, keepMs: recorder.keepMs })
  return {
    list,
    get,
    async [Symbol.asyncDispose]() {
      await closeRedis(redis)
      await server.close()
    },
  }
}
