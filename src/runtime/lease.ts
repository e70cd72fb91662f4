/**
 * Keeps a claimed turn ours, and gives it up before somebody else may take it.
 *
 * L1. The lease is renewed every third of its length.
 * L2. A lease that was last renewed 0.7 of its length ago, on a monotonic clock, is held to be lost: the turn's work
 *     is aborted then, so that it stops before another worker starts.
 */

import { TurnkeeperError } from '../errors.ts'
import type { Claim, Journal } from '../queue/journal.ts'

export type Lease = {
  /** Aborted when the turn is lost; its reason is `turn/fenced`. */
  readonly lost: AbortSignal
  close(): void
}

export function keepLease(journal: Journal, claim: Claim, leaseMs: number): Lease {
  const lost = new AbortController()
  let renewedAt = performance.now()
  const giveUp = (why: string): void => {
    close()
    lost.abort(new TurnkeeperError('fenced', why))
  }
  const renew = async (): Promise<void> => {
    const asked = performance.now()
    try {
      if ((await journal.renew(claim, leaseMs)) === 'ok') renewedAt = asked
      else giveUp('another worker has taken the turn over')
    } catch {
      // Redis does not answer: the watchdog decides when that has lasted too long.
    }
  }
  const renewing = setInterval(renew, leaseMs / 3)
  const watching = setInterval(() => {
    if (performance.now() - renewedAt > leaseMs * 0.7)
      giveUp('the lease of the turn could not be renewed in time')
  }, leaseMs / 10)
  const close = (): void => {
    clearInterval(renewing)
    clearInterval(watching)
  }
  return { lost: lost.signal, close }
}
