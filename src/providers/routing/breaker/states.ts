/**
 * The states of a route's breaker and how it moves between them. The moves themselves are made in Lua, where the
 * whole fleet sees one truth; this is the part that every process decides by from memory.
 *
 *              reroute                     5 successes in a row, or 60 s without a failure
 *   closed ───────────────▶ degraded ──────────────────────────────────────────────▶ closed
 *     │                        │ ▲
 *     │ a rule is broken       │ └───────────── probe answered ─────────────┐
 *     └──────────┬─────────────┘                                            │
 *                ▼          open time over, lease taken                     │
 *              open ────────────────────────────────────────────────▶ half_open
 *                ▲                                                          │
 *                └──────── probe failed (longer), or probe given up ────────┘
 */

export type HealthState = 'closed' | 'degraded' | 'half_open' | 'open'

/** From the best to the worst. */
export const STATES = ['closed', 'degraded', 'half_open', 'open'] as const satisfies readonly HealthState[]

/** Why a breaker moved: the name of the broken rule, or one of these. */
export type TransitionReason =
  | 'html'
  | 'stall'
  | 'reroute'
  | 'probe_due'
  | 'probe_ok'
  | 'probe_failed'
  | 'probe_released'
  | 'recovered'

/** One move of a breaker, as the history keeps it. */
export type Transition = {
  readonly route: string
  readonly from: HealthState
  readonly to: HealthState
  readonly reason: TransitionReason
  /** Epoch milliseconds, by the clock of Redis. */
  readonly at: number
}

/** Every move that can happen, so that each has its counter from the start. */
export const MOVES: readonly Pick<Transition, 'from' | 'to' | 'reason'>[] = [
  { from: 'closed', to: 'degraded', reason: 'reroute' },
  { from: 'closed', to: 'open', reason: 'html' },
  { from: 'closed', to: 'open', reason: 'stall' },
  { from: 'degraded', to: 'open', reason: 'html' },
  { from: 'degraded', to: 'open', reason: 'stall' },
  { from: 'open', to: 'half_open', reason: 'probe_due' },
  { from: 'half_open', to: 'open', reason: 'probe_failed' },
  { from: 'half_open', to: 'open', reason: 'probe_released' },
  { from: 'half_open', to: 'degraded', reason: 'probe_ok' },
  { from: 'degraded', to: 'closed', reason: 'recovered' },
]

/** Whether ordinary traffic may use a route in this state. */
export function isUsable(state: HealthState): boolean {
  return state === 'closed' || state === 'degraded'
}

/** 0 for the best state, 3 for the worst. */
export function rankOf(state: HealthState): number {
  return STATES.indexOf(state)
}
