/**
 * Heals what a crash between two writes has left: the index of open turns is written before the journal, the journal
 * before the wake-up, so each prefix of that sequence can be seen here and completed.
 *
 * R1. One process of the fleet reconciles at a time; it takes turns by a lease.
 * R2. A turn that could start and that nobody will look at gets a wake-up; one more than needed does no harm.
 * R3. A wake-up that somebody has while no turn of its session runs, in two passes, is held to be lost with them.
 */

import { setTimeout as sleep } from 'node:timers/promises'
import { globalKeys, type SessionRef, sessionOfTurn } from '../redis/keys.ts'
import type { Log } from '../telemetry/telemetry.ts'
import type { QueueBackend } from './backend.ts'
import type { Standing } from './journal-types.ts'
import { isTerminal } from './types.ts'

export type Reconciler = { close(): Promise<void> }

export type ReconcilerOptions = {
  readonly backend: QueueBackend
  readonly intervalMs: number
  readonly log: Log
  /** Whether a worker has died: its turns are woken before their leases have run out. */
  readonly isGone?: (worker: string) => boolean
}

/** Turns looked at in one pass: so many of the oldest, and as many of those behind them. */
const PAGE = 500
/** An entry of the index whose turn was never written is dropped after this time. */
const ORPHAN_MS = 60_000

export function startReconciler(options: ReconcilerOptions): Reconciler {
  const { backend, intervalMs, log } = options
  const stop = new AbortController()
  const suspects = new Set<string>()
  let passes = 0
  const loop = (async () => {
    while (!stop.signal.aborted) {
      await sleep(intervalMs * (0.8 + 0.4 * Math.random()), undefined, { signal: stop.signal }).catch(
        () => {},
      )
      if (stop.signal.aborted) return
      try {
        if (await takeLease(backend, intervalMs)) await reconcile(options, suspects, passes++)
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

type Pass = Pick<ReconcilerOptions, 'backend' | 'log' | 'isGone'>

/**
 * The `nth` pass; returns how many turns were woken. `suspects`: turns whose wake-up may be lost, from pass to pass (R3).
 */
export async function reconcile(pass: Pass, suspects = new Set<string>(), nth = 0): Promise<number> {
  const { journal, backlog } = pass.backend
  const entries = await entriesOf(pass.backend, nth)
  const turnIds = entries.filter((_entry, i) => i % 2 === 0)
  // All at once: turns that end while a pass walks along are closed by those that have run them.
  const standings = await journal.standings(turnIds)
  const now = standings.includes(undefined) ? await nowOf(pass.backend) : 0
  const busy = new Set<SessionRef>()
  const ready: string[] = []
  let woken = 0
  for (const [i, turnId] of turnIds.entries()) {
    const standing = standings[i]
    if (standing === undefined) {
      if (now - Number(entries[2 * i + 1]) > ORPHAN_MS) await backlog.forget(turnId)
    } else if (isTerminal(standing.state)) {
      await journal.closeIndex(turnId)
    } else if (standing.state !== 'queued') {
      busy.add(sessionOfTurn(turnId))
      if (await wakeHeld(pass, turnId, standing)) woken++
    } else if (standing.dueInMs <= 0 && standing.holdLeftMs <= 0) {
      ready.push(turnId)
    }
  }
  const idle = ready.filter((turnId) => !busy.has(sessionOfTurn(turnId)))
  for (const turnId of suspects) if (!idle.includes(turnId)) suspects.delete(turnId)
  return woken + (await wakeForgotten(pass, idle, suspects))
}

/**
 * Entries of the index of open turns, each followed by its score: the oldest, and one page of those behind them, which
 * turns that are parked for long would hide otherwise. Each page comes twice in a row (R3).
 */
async function entriesOf({ redis, prefix }: QueueBackend, nth: number): Promise<readonly string[]> {
  const { open } = globalKeys(prefix)
  const page = (n: number): Promise<string[]> =>
    redis.zrange(open, String(n * PAGE), String((n + 1) * PAGE - 1), 'WITHSCORES')
  const oldest = await page(0)
  if (oldest.length < 2 * PAGE) return oldest
  const behind = Math.ceil((await redis.zcard(open)) / PAGE) - 1
  return behind < 1 ? oldest : [...oldest, ...(await page(1 + (Math.floor(nth / 2) % behind)))]
}

/** Redis's clock, on which turns are admitted, in milliseconds: on that of a host that runs ahead each of them is an orphan. */
async function nowOf({ redis }: QueueBackend): Promise<number> {
  const [seconds] = await redis.time()
  return Number(seconds) * 1000
}

/** Wakes for a turn whose worker is lost, or whose waiting is over. */
async function wakeHeld(pass: Pass, turnId: string, standing: Standing): Promise<boolean> {
  const { backend, log, isGone = () => false } = pass
  const { state, leaseLeftMs, holdLeftMs, worker } = standing
  if (state === 'running' && (leaseLeftMs <= 0 || isGone(worker))) {
    log.warn({ turn_id: turnId, worker }, 'the worker of this turn has fallen silent; waking its session')
    // The dead worker's job still holds the session's place in BullMQ, so this one comes beside it.
    await backend.wakeQueue.wake(turnId, { delayMs: 1 })
    return true
  }
  if (state === 'waiting_approval' && holdLeftMs <= 0) {
    await backend.wakeQueue.wake(turnId)
    return true
  }
  return false
}

/** Wakes for turns that could start, if no wake-up of their session is left, or none that lives; says for how many. */
async function wakeForgotten(
  { backend: { journal, wakeQueue } }: Pass,
  turnIds: readonly string[],
  suspects: Set<string>,
): Promise<number> {
  const looked = await Promise.all(
    turnIds.map(async (turnId) => ({ turnId, attention: await wakeQueue.attention(sessionOfTurn(turnId)) })),
  )
  const forgotten = looked.filter(({ turnId, attention }) => {
    const isFirstDoubt = attention === 'active' && !suspects.has(turnId)
    if (isFirstDoubt) suspects.add(turnId)
    else suspects.delete(turnId)
    return attention !== 'waiting' && !isFirstDoubt
  })
  // Who has a turn lets go of its wake-up when it is done with it: only a turn that waits even now was forgotten.
  const standings = await journal.standings(forgotten.map(({ turnId }) => turnId))
  const lost = forgotten.filter((_turn, i) => standings[i]?.state === 'queued')
  for (const { turnId, attention } of lost)
    await wakeQueue.wake(turnId, attention === 'active' ? { delayMs: 1 } : {})
  return lost.length
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
