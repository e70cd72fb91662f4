/**
 * What waits in the queue, counted by one process of the fleet at a time: who holds the lease. The others show 0, so
 * that a dashboard takes the maximum.
 */

import { randomBytes } from 'node:crypto'
import { globalKeys } from '../redis/keys.ts'
import { createLeases } from '../redis/lease.ts'
import type { Telemetry } from '../telemetry/telemetry.ts'
import type { QueueBackend } from './backend.ts'
import type { BacklogSize } from './backlog.ts'

export type QueueGauges = { close(): Promise<void> }

export type QueueGaugesOptions = {
  readonly backend: QueueBackend
  readonly telemetry: Telemetry
  /** The queue's name, as a label. */
  readonly queue: string
  /** How long who counts may be silent before somebody else counts; default 10,000. */
  readonly leaseMs?: number
}

const NOTHING: BacklogSize = { ready: 0, limited: 0, oldestMs: 0 }

/** Shows `queue_jobs` and `queue_oldest_job_age_seconds`, from 0 on. */
export function startQueueGauges(options: QueueGaugesOptions): QueueGauges {
  const { backend, telemetry, queue, leaseMs = 10_000 } = options
  const { gauges: key } = globalKeys(backend.prefix)
  const id = randomBytes(6).toString('hex')
  const hold = createLeases(backend.redis)
  let size = NOTHING
  let counting = Promise.resolve()

  const count = async (): Promise<void> => {
    try {
      if (!(await hold({ key, id, ttlMs: leaseMs }))) size = NOTHING
      else {
        await backend.backlog.heal() // a mark that a crash has left would look like a turn that waits for ever
        size = await backend.backlog.size()
      }
    } catch {
      size = NOTHING // Redis is away: its own metric says so.
    }
  }
  const next = (): void => {
    counting = counting.then(count)
  }
  next()
  const timer = setInterval(next, leaseMs / 4)
  const forget = [
    telemetry.gauge('queue_jobs', () => [
      [{ queue, state: 'ready' }, size.ready],
      [{ queue, state: 'limited' }, size.limited],
    ]),
    telemetry.gauge('queue_oldest_job_age_seconds', () => [[{ queue }, size.oldestMs / 1_000]]),
  ]
  return {
    async close() {
      clearInterval(timer)
      for (const stop of forget) stop()
      await counting
      const { redis } = backend
      if ((await redis.get(key).catch(() => null)) === id) await redis.del(key).catch(() => {})
    },
  }
}
