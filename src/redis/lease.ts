import type { RedisConnection } from './connection.ts'
import { loadScript } from './scripts.ts'

export type LeaseRequest = { readonly key: string; readonly id: string; readonly ttlMs: number }

/** What one process of the fleet does at a time: takes the lease, or prolongs one's own; false where another has it. */
export type HoldLease = (request: LeaseRequest) => Promise<boolean>

export function createLeases(redis: RedisConnection): HoldLease {
  const hold = loadScript('hold', import.meta.url)
  return async ({ key, id, ttlMs }) => (await hold.run(redis, [key], [id, Math.ceil(ttlMs)])) === 1
}
