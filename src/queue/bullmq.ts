/**
 * BullMQ, the only file that knows it. A job is a wake-up of a session: it carries the session and a guess at the
 * head of its inbox, and losing one loses nothing.
 *
 * W1. At most one immediate wake-up a session waits or runs; one that comes while it runs is kept for afterwards.
 * W2. A delayed wake-up is named after its time, so it swallows neither an immediate one nor a later one.
 */

import type { BackendFactory, Job, JobsOptions, RedisQueueBackend } from 'bullmq'
import type { RedisConnection } from '../redis/connection.ts'
import { type SessionRef, sessionOfTurn } from '../redis/keys.ts'

/** What a job carries. */
export type WakeUp = { readonly turnId: string }

export type WakeOptions = {
  /** Wake the session only after this time. */
  readonly delayMs?: number
}

/** A wake-up to add; `rank` is BullMQ's priority: lower first, 0 before all. */
export type RankedWake = WakeOptions & { readonly turnId: string; readonly rank: number }

export type WakeQueue = {
  /** Wakes the session of a turn, unless the turn has to wait for another one of its tenant. */
  wake(turnId: string, options?: WakeOptions): Promise<void>
  /** Adds wake-ups in one round trip; for who knows their ranks. */
  wakeAll(wakes: readonly RankedWake[]): Promise<void>
  /** What the session's immediate wake-up does: there is none, it waits for a worker, or one has it. */
  attention(session: SessionRef): Promise<'none' | 'waiting' | 'active'>
  close(): Promise<void>
}

export type WakeQueueOptions = {
  readonly connection: RedisConnection
  readonly name: string
  readonly prefix: string
}

export type OpenWakeQueueOptions = WakeQueueOptions & {
  /** The rank of a turn; undefined when it needs no wake-up. */
  readonly rankOf: (turnId: string, delayMs: number) => Promise<number | undefined>
}

export type WakeWorkerOptions = WakeQueueOptions & {
  readonly concurrency: number
  readonly lockMs: number
  readonly stalledCheckMs: number
  /** Handles one wake-up. `id` stays the same when BullMQ delivers it again after its worker died. */
  readonly handle: (wakeUp: WakeUp & { readonly id: string }) => Promise<void>
  readonly onError: (error: Error) => void
  readonly onStalled: () => void
  /** Called at each fetch that Redis has answered, with a wake-up or without. */
  readonly onFetched?: () => void
}

export type WakeWorker = {
  /** Stops fetching; resolves when the running handlers have ended. */
  close(): Promise<void>
}

/** BullMQ counts redeliveries and gives up after this many; the journal's own rules decide, so: never. */
const NEVER = 1_000_000
const BESIDE = 'later-'
/** States of a job that a worker will still take; one that is gone, with its place still held, is no better than stuck. */
const WAITING: ReadonlySet<string> = new Set(['waiting', 'prioritized', 'delayed'])
/** After a fetch that failed; BullMQ's own 15 s would leave a worker deaf for as long after a short outage. */
const FETCH_AGAIN_MS = 1_000

/** Opens the queue of wake-ups. `connection` stays its owner's. */
export async function openWakeQueue({
  connection,
  name,
  prefix,
  rankOf,
}: OpenWakeQueueOptions): Promise<WakeQueue> {
  const { Queue } = await import('bullmq') // when it is needed: it would be a third of the library's import
  const queue = new Queue<WakeUp>(name, {
    connection,
    prefix,
    skipVersionCheck: true, // the start-up checks have looked already
    streams: { events: { maxLen: 1_000 } },
    defaultJobOptions: {
      removeOnComplete: true,
      removeOnFail: true,
      attempts: NEVER,
      backoff: { type: 'fixed', delay: 1_000 },
    },
  })
  queue.on('error', () => {}) // each failed call already rejects
  await queue.waitUntilReady()
  return {
    async wake(turnId, { delayMs = 0 } = {}) {
      const rank = await rankOf(turnId, delayMs)
      if (rank !== undefined) await queue.add('wake', { turnId }, jobOptions({ turnId, rank, delayMs }))
    },
    async wakeAll(wakes) {
      const [first] = wakes
      if (wakes.length === 1 && first) await queue.add('wake', { turnId: first.turnId }, jobOptions(first))
      else if (first) await queue.addBulk(wakes.map(toJob))
    },
    async attention(session) {
      const job = await queue.getDeduplicationJobId(session)
      if (job === null) return 'none'
      return WAITING.has(await queue.getJobState(job)) ? 'waiting' : 'active'
    },
    close: () => queue.close(),
  }
}

function toJob(wake: RankedWake): { name: string; data: WakeUp; opts: JobsOptions } {
  return { name: 'wake', data: { turnId: wake.turnId }, opts: jobOptions(wake) }
}

function jobOptions({ turnId, rank, delayMs = 0 }: RankedWake): JobsOptions {
  const session = sessionOfTurn(turnId)
  return {
    ...(rank > 0 && { priority: rank }),
    ...(delayMs > 0 ? later(session, delayMs) : { deduplication: { id: session, keepLastIfActive: true } }),
  }
}

/** Starts handling wake-ups at once. */
export async function startWakeWorker(options: WakeWorkerOptions): Promise<WakeWorker> {
  const { connection, name, prefix, concurrency, lockMs, stalledCheckMs, handle, onError, onStalled } =
    options
  const { onFetched = () => {} } = options
  const { createRedisBackend, Worker } = await import('bullmq')
  const worker = new Worker<WakeUp>(
    name,
    async (job: Job<WakeUp>) => {
      await handle({ turnId: job.data.turnId, id: job.id ?? '' })
    },
    {
      connection,
      prefix,
      concurrency,
      lockDuration: lockMs,
      stalledInterval: stalledCheckMs,
      maxStalledCount: NEVER,
      runRetryDelay: FETCH_AGAIN_MS,
      skipVersionCheck: true,
      removeOnComplete: { count: 0 },
      removeOnFail: { count: 0 },
    },
    tellingFetches(createRedisBackend, onFetched),
  )
  worker.on('error', onError)
  worker.on('stalled', onStalled)
  await worker.waitUntilReady()
  return { close: () => worker.close() }
}

/** Whether a wake-up came under an id of its own, beside the one that holds its session's place (W2). */
export function isBeside(wakeUpId: string): boolean {
  return wakeUpId.startsWith(BESIDE)
}

/** BullMQ tells of jobs, not of fetches that found none; the backend that it fetches through can be asked. */
function tellingFetches(
  createBackend: BackendFactory<RedisQueueBackend>,
  onFetched: () => void,
): BackendFactory<RedisQueueBackend> {
  return (...args) => {
    const backend = createBackend(...args)
    const fetch = backend.moveToActive.bind(backend)
    backend.moveToActive = async (...asked) => {
      const answer = await fetch(...asked)
      onFetched()
      return answer
    }
    return backend
  }
}

function later(session: SessionRef, delayMs: number): { delay: number; jobId: string } {
  const delay = Math.ceil(delayMs)
  // BullMQ allows no colon in an id of ours, a session may hold one.
  return { delay, jobId: `${BESIDE}${Buffer.from(session).toString('base64url')}-${Date.now() + delay}` }
}
