/**
 * Heals what a crash between two writes has left: the index of open turns is written before the journal, the journal
 * before the wake-up, so each prefix of that sequence can be seen here and completed.
 *
 * R1. One process of the fleet reconciles at a time; it takes turns by a lease.
 * R2. A turn that could start and that nobody will look at gets a wake-up; one more than needed does no harm.
 */

import { setTimeout as sleep } from 'node:timers/promises'
import { globalKeys, sessionOfTurn } from '../redis/keys.ts'
import type { Log } from '../telemetry/telemetry.ts'
import type { QueueBackend } from './backend.ts'
import { isTerminal } from './types.ts'

export type Reconciler = { close(): Promise<void> }

export type ReconcilerOptions = {
  readonly backend: QueueBackend
  readonly intervalMs: number
  readonly log: Log
}

/** Turns looked at in one pass, oldest first. */
const PAGE = 500
/** An entry of the index whose turn was never written is dropped after this time. */
const ORPHAN_MS = 60_000

export function startReconciler({ backend, intervalMs, log }: ReconcilerOptions): Reconciler {
  const stop = new AbortController()
  const loop = (async () => {
    while (!stop.signal.aborted) {
      await sleep(intervalMs * (0.8 + 0.4 * Math.random()), undefined, { signal: stop.signal }).catch(
        () => {},
      )
      if (stop.signal.aborted) return
      try {
        if (await takeLease(backend, intervalMs)) await reconcile(backend, log)
      } catch (error) {
        log.warn(
          { err: error instanceof Error ? error.message : String(error) },
          'reconciling failed; will try again',
        )
      }
    }
  })()
  return {
    async close() {
      stop.abort()
      await loop
    },
  }
}

/** One pass; returns how many turns were woken. */
export async function reconcile(backend: QueueBackend, log: Log): Promise<number> {
  const { journal, wakeQueue, redis, prefix } = backend
  const { open } = globalKeys(prefix)
  const entries = await redis.zrange(open, '0', String(PAGE - 1), 'WITHSCORES')
  let woken = 0
  for (let i = 0; i + 1 < entries.length; i += 2) {
    const turnId = entries[i] as string
    const indexedAt = Number(entries[i + 1])
    const standing = await journal.standing(turnId)
    if (standing === undefined) {
      if (Date.now() - indexedAt > ORPHAN_MS) await redis.zrem(open, turnId)
    } else if (isTerminal(standing.state)) {
      await journal.closeIndex(turnId)
    } else if (standing.state === 'running' && standing.leaseLeftMs <= 0) {
      log.warn({ turn_id: turnId }, 'the worker of this turn has fallen silent; waking its session')
      // The dead worker's job still holds the session's place in BullMQ, so this one comes beside it.
      await wakeQueue.wake(turnId, { delayMs: 1 })
      woken++
    } else if (standing.state === 'waiting_approval' && standing.holdLeftMs <= 0) {
      await wakeQueue.wake(turnId)
      woken++
    } else if (standing.state === 'queued' && standing.dueInMs <= 0) {
      if (await wakeQueue.isAwake(sessionOfTurn(turnId))) continue
      await wakeQueue.wake(turnId)
      woken++
    }
  }
  return woken
}

async function takeLease({ redis, prefix }: QueueBackend, intervalMs: number): Promise<boolean> {
  const taken = await redis.set(
    globalKeys(prefix).reconciler,
    String(process.pid),
    'PX',
    Math.ceil(intervalMs * 0.9),
    'NX',
  )
  return taken === 'OK'
}
