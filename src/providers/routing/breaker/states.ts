/**
 * The states of a breaker, of a route or of a credential, and how it moves between them. The moves themselves are made in Lua, where the
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
 *
 * People may force a breaker open or closed for a time, or reset it, from every state. The end of a forced opening is
 * the end of an open time: a probe decides.
 */

export type HealthState = 'closed' | 'degraded' | 'half_open' | 'open'

/** From the best to the worst. */
export const STATES = ['closed', 'degraded', 'half_open', 'open'] as const satisfies readonly HealthState[]

/** Why a breaker moved: the name of the broken rule, or one of these. */
export type TransitionReason =
  | 'html'
  | 'stall'
  | 'errors'
  | 'auth'
  | 'reroute'
  | 'probe_due'
  | 'probe_ok'
  | 'probe_failed'
  | 'probe_released'
  | 'recovered'
  | 'forced_open'
  | 'forced_closed'
  | 'reset'

/** One move of a breaker, as the history keeps it. */
export type Transition = {
  /** A route (`provider/model`), or a credential (`provider#id`). */
  readonly route: string
  readonly from: HealthState
  readonly to: HealthState
  readonly reason: TransitionReason
  /** Epoch milliseconds, by the clock of Redis. */
  readonly at: number
  /** Who moved it and why, where it was a person; for how long, where that is limited. */
  readonly audit?: { readonly by: string; readonly reason: string; readonly forMs?: number }
}

type Move = Pick<Transition, 'from' | 'to' | 'reason'>

const move = (from: HealthState, to: HealthState, reason: TransitionReason): Move => ({ from, to, reason })

/** Every move that can happen, so that each has its counter from the start. */
export const MOVES: readonly Move[] = [
  move('closed', 'degraded', 'reroute'),
  move('closed', 'degraded', 'errors'),
  ...(['html', 'stall', 'errors', 'auth'] as const).flatMap((rule) => [
    move('closed', 'open', rule),
    move('degraded', 'open', rule),
  ]),
  move('open', 'half_open', 'probe_due'),
  move('half_open', 'open', 'probe_failed'),
  move('half_open', 'open', 'probe_released'),
  move('half_open', 'degraded', 'probe_ok'),
  move('degraded', 'closed', 'recovered'),
  ...STATES.filter((from) => from !== 'open').map((from) => move(from, 'open', 'forced_open')),
  ...STATES.filter((from) => from !== 'closed').flatMap((from) => [
    move(from, 'closed', 'forced_closed'),
    move(from, 'closed', 'reset'),
  ]),
]

/** Whether ordinary traffic may use a route in this state. */
export function isUsable(state: HealthState): boolean {
  return state === 'closed' || state === 'degraded'
}

/** 0 for the best state, 3 for the worst. */
export function rankOf(state: HealthState): number {
  return STATES.indexOf(state)
}
