/**
 * Turns that this worker has handed back because no route could serve them.
 *
 * waiting ──route usable again──▶ woken
 *    └──────its time over───────▶ forgotten (its delayed wake-up comes by itself)
 *
 * V1. Losing this list loses nothing: every turn in it has a delayed wake-up in the queue.
 * V2. A turn is woken once for each time that it was handed back.
 * V3. A route that came back while the turn was being handed back is not missed.
 */

import type { OnChange } from '../../providers/routing/breaker/mirror.ts'
import { isUsable } from '../../providers/routing/breaker/states.ts'

/** What a turn waits for: a route of `model`, for its segment. */
export type Wanted = { readonly model: string; readonly segment?: string | undefined }

export type WaitingTurns = {
  add(turnId: string, wanted: Wanted, forMs: number): void
  /** For `onHealthChange`: wakes the turns whose model has got a usable route. */
  readonly onChange: OnChange
  /** Wakes the turns whose model can be served now, whatever has changed. */
  look(): void
}

export type WaitingTurnsOptions = {
  /** Whether a queued call would find a route now. */
  readonly canServe: (wanted: Wanted) => boolean
  readonly wake: (turnId: string) => Promise<void>
}

/** An empty list. */
export function createWaitingTurns({ canServe, wake }: WaitingTurnsOptions): WaitingTurns {
  const waiting = new Map<string, { readonly wanted: Wanted; readonly until: number }>()
  const forgetThePast = (): void => {
    for (const [turnId, { until }] of waiting) if (until <= performance.now()) waiting.delete(turnId)
  }
  const look = (): void => {
    forgetThePast()
    for (const [turnId, { wanted }] of waiting) {
      if (!canServe(wanted)) continue
      waiting.delete(turnId)
      wake(turnId).catch(() => {}) // V1
    }
  }
  return {
    look,
    add(turnId, wanted, forMs) {
      forgetThePast()
      if (canServe(wanted))
        wake(turnId).catch(() => {}) // V3
      else waiting.set(turnId, { wanted, until: performance.now() + forMs })
    },
    onChange({ to }) {
      if (isUsable(to)) look()
    },
  }
}
