/**
 * What a write must have outlived before it counts.
 *
 * - `none`: nothing; a restart of Redis loses turns.
 * - `aof`: Redis keeps an append-only file; a power failure may take its last second.
 * - `always`: what is accepted, and each start of an unsafe tool, is on disk before anything is done with it, and on
 *   as many replicas as `redis.replicas` says.
 */

import { TurnkeeperError } from '../errors.ts'
import type { RedisConnection } from './connection.ts'
import { parseInfo } from './info.ts'

export type Durability = 'aof' | 'always' | 'none'

/** Waits until what was written on the connection is as safe as was asked. */
export type Confirm = () => Promise<void>

export type DurabilityOptions = {
  readonly durability: Durability
  /** Replicas that must have a write; only with `always`. Default 0. */
  readonly replicas?: number
}

/** The first version that can say when a write is on disk (WAITAOF). */
const WAITAOF_SINCE = [7, 2] as const
const CONFIRM_MS = 5_000

/**
 * How writes of `redis` are confirmed. Replication is asked for on the same connection: on another one, Redis would
 * answer for writes that it has not made. A confirmation holds up the commands behind it, for as long as a disk takes.
 * Its calls reject with `queue/redis_unavailable` when it does not come in time.
 */
export async function createConfirm(
  redis: RedisConnection,
  { durability, replicas = 0 }: DurabilityOptions,
): Promise<Confirm> {
  if (durability !== 'always' || redis.isCluster) return async () => {}
  const version = parseInfo(await redis.info('server')).get('redis_version') ?? ''
  if (canWaitForDisk(version)) {
    return async () => {
      const [disks, copies] = (await redis.call('WAITAOF', 1, replicas, CONFIRM_MS)) as [number, number]
      if (disks < 1 || copies < replicas) throw unconfirmed()
    }
  }
  // The start-up check has seen `appendfsync always`: an answer means that the write is on disk here.
  if (replicas === 0) return async () => {}
  return async () => {
    if ((await redis.wait(replicas, CONFIRM_MS)) < replicas) throw unconfirmed()
  }
}

/** Whether a server of this version has WAITAOF. */
export function canWaitForDisk(version: string): boolean {
  const [major = 0, minor = 0] = version.split('.').map(Number)
  return major > WAITAOF_SINCE[0] || (major === WAITAOF_SINCE[0] && minor >= WAITAOF_SINCE[1])
}

function unconfirmed(): TurnkeeperError {
  return new TurnkeeperError(
    'redis_unavailable',
    `Redis did not confirm within ${CONFIRM_MS} ms that a write is safe; it may have been made all the same`,
  )
}
