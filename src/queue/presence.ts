/**
 * Who of the fleet has died, as this process sees it.
 *
 *   unknown → (seen) → alive → (no new sign of life in four looks) → gone → (a new sign) → alive
 *                                                                    └→ (twenty more looks) → unknown
 *
 * P1. Looks are counted, not seconds: while Redis is away, or this process is stopped, nobody looks, so nobody dies.
 * P2. Nobody is held for dead whose sign was never seen: who has just joined is unknown to all that have not looked
 *     since, and takes turns already. What it leaves behind if it dies unseen ends with its leases.
 * P3. It is a guess: taking over a turn of a worker that was only stopped is safe because of the epoch, not of this.
 */

import { setTimeout as sleep } from 'node:timers/promises'
import type { Fleet } from './fleet.ts'

/** Signs of life by worker: any value that changes with each of them. */
export type SignsOfLife = ReadonlyMap<string, string>

export type Presence = {
  /** Takes in what the registry shows now. */
  note(signs: SignsOfLife): void
  isGone(worker: string): boolean
}

/** Beats of one worker, and its view of the others. */
export type Heartbeat = Pick<Presence, 'isGone'> & { close(): Promise<void> }

const LOOKS = 4
/** Of a worker that has been gone for so many looks, two lengths of a lock, no lease is left to be taken over. */
const REMEMBERED_LOOKS = 20

/** A view of the fleet that has seen nothing yet. */
export function createPresence(): Presence {
  const seen = new Map<string, { sign: string; at: number }>()
  let looks = 0
  const silentFor = (worker: string): number => looks - (seen.get(worker)?.at ?? looks)
  return {
    note(signs) {
      looks++
      for (const [worker, sign] of signs) {
        if (seen.get(worker)?.sign !== sign) seen.set(worker, { sign, at: looks })
      }
      for (const worker of seen.keys()) {
        if (!signs.has(worker) && silentFor(worker) >= LOOKS + REMEMBERED_LOOKS) seen.delete(worker)
      }
    },
    isGone: (worker) => silentFor(worker) >= LOOKS,
  }
}

export type HeartbeatOptions = {
  readonly fleet: Fleet
  readonly worker: string
  readonly agents: readonly string[]
  /** Time between two beats, in milliseconds. */
  readonly everyMs: number
  /** How long the registry believes in a worker without a beat, in milliseconds. */
  readonly ttlMs: number
}

/** Registers a worker, then keeps it registered and watches the others; resolves after the first beat. */
export async function startHeartbeat(options: HeartbeatOptions): Promise<Heartbeat> {
  const { fleet, worker, agents, everyMs, ttlMs } = options
  const presence = createPresence()
  const stop = new AbortController()
  const beat = async (): Promise<void> => {
    presence.note(await fleet.register(worker, agents, ttlMs))
  }
  await beat()
  const beating = (async () => {
    while (!stop.signal.aborted) {
      await sleep(everyMs, undefined, { signal: stop.signal }).catch(() => {})
      if (!stop.signal.aborted) await beat().catch(() => {}) // Redis is away: the next beat tries again.
    }
  })()
  return {
    isGone: presence.isGone,
    async close() {
      stop.abort()
      await beating
      await fleet.leave(worker).catch(() => {})
    },
  }
}
