/**
 * Records in Redis: the part that any process can show.
 *
 * S1. A record and its place in both indexes are one script; what is too old or too much goes in the same one.
 * S2. All keys expire by themselves when nothing is recorded any more.
 */

import { answering } from '../../redis/answering.ts'
import type { RedisConnection } from '../../redis/connection.ts'
import { globalKeys } from '../../redis/keys.ts'
import { loadScript } from '../../redis/scripts.ts'
import type { ProviderRecord } from './record.ts'

export type ListRecords = {
  /** `provider/model`; default: of all routes. */
  readonly route?: string
  /** Default 50. */
  readonly limit?: number
  /** Only records kept before this moment, in epoch milliseconds of Redis. */
  readonly before?: number
}

export type RecordReader = {
  /** Newest first. Throws `queue/redis_unavailable`, as `get`. */
  list(options?: ListRecords): Promise<readonly ProviderRecord[]>
  get(id: string): Promise<ProviderRecord | undefined>
}

export type RecordStore = RecordReader & {
  put(record: ProviderRecord): Promise<void>
}

export type RecordStoreOptions = {
  readonly redis: RedisConnection
  readonly prefix: string
  readonly keepMs: number
  /** Default 10,000: some 60 MB. */
  readonly most?: number
}

const MOST_RECORDS = 10_000

/** The records under `prefix`. */
export function createRecordStore(options: RecordStoreOptions): RecordStore {
  const { redis, prefix, keepMs, most = MOST_RECORDS } = options
  const script = loadScript('put', import.meta.url)
  const { records } = globalKeys(prefix)
  const byTime = `${records}:at`
  const routeKey = (route: string): string => `${records}:of:${route}`

  return {
    async put(record) {
      const keys = [records, byTime, routeKey(record.route)]
      await script.run(redis, keys, [record.id, JSON.stringify(record), keepMs, most])
    },
    async list({ route, limit = 50, before } = {}) {
      const index = route === undefined ? byTime : routeKey(route)
      const from = before === undefined ? '+inf' : `(${before * 1000}`
      const ids = await answering(redis.zrevrangebyscore(index, from, '-inf', 'LIMIT', 0, limit))
      if (ids.length === 0) return []
      const texts = await answering(redis.hmget(records, ...ids))
      return texts.filter((text) => text !== null).map(parseRecord)
    },
    async get(id) {
      const text = await answering(redis.hget(records, id))
      return text === null ? undefined : parseRecord(text)
    },
  }
}

/** Written by `put`, of this version or one before. */
function parseRecord(text: string): ProviderRecord {
  return JSON.parse(text) as ProviderRecord
}
