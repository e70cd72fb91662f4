/**
 * Keeps a claimed turn ours, and gives it up before somebody else may take it.
 *
 * L1. The lease is renewed within each third of its length; the answer also tells of a cancellation.
 * L2. A lease that was last renewed 0.7 of its length ago, on a monotonic clock, is held to be lost: the turn's work
 *     is aborted then, so that it stops before another worker starts.
 * L3. A process that was stopped finds out before it does anything else: whoever is about to act checks.
 */

import { TurnkeeperError } from '../../errors.ts'
import type { Journal } from '../../queue/journal.ts'
import type { Claim } from '../../queue/journal-types.ts'

export type Lease = {
  /** Ends the turn's work: lost (`turn/fenced`), to be cancelled (`turn/cancelled`), or what `end` was told. */
  readonly ended: AbortSignal
  /** Somebody wants the turn cancelled. */
  cancel(reason: string): void
  /** Ends the work for another reason. The turn stays ours until it is let go. */
  end(reason: unknown): void
  /** Looks at the clock now: `ended` is aborted when this returns, if the lease is over (L3). */
  check(): void
  close(): void
}

/** How often a lease is looked at in its length, and after how many of these looks it is renewed. */
const TICKS = 10
const TICKS_A_RENEWAL = 3

export function keepLease(journal: Journal, claim: Claim, leaseMs: number): Lease {
  const ended = new AbortController()
  let renewedAt = performance.now()
  const giveUp = (why: string): void => {
    close()
    ended.abort(new TurnkeeperError('fenced', why))
  }
  const end = (reason: unknown): void => ended.abort(reason)
  const cancel = (reason: string): void => end(new TurnkeeperError('cancelled', reason))
  const renew = async (): Promise<void> => {
    const asked = performance.now()
    try {
      const answer = await journal.renew(claim, leaseMs)
      if (answer.outcome === 'fenced') return giveUp('another worker has taken the turn over')
      renewedAt = asked
      if (answer.outcome === 'cancel') cancel(answer.reason)
    } catch {
      // Redis does not answer: the watchdog decides when that has lasted too long.
    }
  }
  const isOver = (): boolean => performance.now() - renewedAt > leaseMs * 0.7
  const check = (): void => {
    if (isOver()) giveUp('the lease of the turn could not be renewed in time')
  }
  let ticks = 0
  const ticking = setInterval(() => {
    check()
    if (++ticks % TICKS_A_RENEWAL === 0 && !isOver()) void renew() // what was given up is left to others at once
  }, leaseMs / TICKS)
  const close = (): void => clearInterval(ticking)
  return { ended: ended.signal, cancel, end, check, close }
}
