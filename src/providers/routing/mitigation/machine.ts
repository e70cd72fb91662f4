/**
 * The mitigation of an alias, or of one segment of it, as a pure function of time and of what its first route did.
 *
 *            over warn             over critical              hold is over
 *   normal ────────────▶ warned ──────────────────▶ moved ──────────────────▶ returning
 *     ▲ ▲                  │                          ▲                         │ │ ▲ │
 *     │ └─ half of warn ───┘                          └──── errors are back ────┘ │ └─┘ next share
 *     └────────────────────── every share was borne ───────────────────────────────┘
 *
 * M1. Nothing is concluded from fewer than `minAttempts` attempts; a model that is not found needs three of them.
 * M2. A hold ends with its time and nothing else: while it lasts, nobody measures the first route.
 * M3. A share grows only by what was seen at that share.
 * M4. Errors at any share lead back to the whole hold.
 * M5. An alias whose fallback cannot serve stays where it is; that is said once, until it gets better.
 */

import type { MitigationConfig } from '../../../config/config.ts'

export type MitigationState = 'normal' | 'warned' | 'moved' | 'returning'

/**
 * Why a mitigation stands as it does. `requested`: an alert asked for it. `no_fallback`: it would have moved, but the
 * fallback has no usable route. `errors_returned`: the first route failed again while its traffic came back.
 */
export type MitigationReason =
  | 'errors'
  | 'model_not_found'
  | 'requested'
  | 'no_fallback'
  | 'hold_over'
  | 'share_borne'
  | 'errors_returned'
  | 'recovered'

/** Times are epoch milliseconds by the clock of Redis. */
export type MitigationRecord = {
  readonly state: MitigationState
  readonly since: number
  readonly reason: MitigationReason
  /** The end of a hold. */
  readonly until?: number
  /** Index into `SHARES` while it returns. */
  readonly step?: number
  /** Who asked for it. */
  readonly note?: string
}

/** What is known of the first route since its window was last emptied, at most `windowMs` ago. */
export type Evidence = {
  readonly now: number
  /** Successes and failures. */
  readonly attempts: number
  /** Of the provider's making. */
  readonly failures: number
  /** Answers that the model is not found. */
  readonly missing: number
  /** Somebody asks for the move, in words. */
  readonly request?: string
  /** The fallback has a usable route. */
  readonly canMove: boolean
}

/** What becomes of a mitigation, as its counter names it. */
export const RESULTS = ['warned', 'cleared', 'moved', 'failed', 'returning', 'returned'] as const
export type MitigationResult = (typeof RESULTS)[number]

/** Shares of the traffic that go to the first route again, one after the other. */
export const SHARES: readonly number[] = [0.1, 0.3, 0.6, 1]

/** What has never moved. */
export const UNTOUCHED: MitigationRecord = { state: 'normal', since: 0, reason: 'recovered' }

/** Answers `model_not_found` that move a segment: one may be a slip of the upstream. */
const MISSING_MOVES = 3

type Policy = Pick<MitigationConfig, 'warn' | 'critical' | 'windowMs' | 'minAttempts' | 'holdMs'>

/** What follows; undefined where nothing changes. */
export function advance(
  record: MitigationRecord,
  evidence: Evidence,
  policy: Policy,
): MitigationRecord | undefined {
  if (evidence.request !== undefined && record.state !== 'moved') {
    return moved(record, evidence, { policy, reason: 'requested' })
  }
  switch (record.state) {
    case 'normal':
    case 'warned':
      return watched(record, evidence, policy)
    case 'moved':
      if (evidence.now < (record.until ?? 0)) return undefined
      return { state: 'returning', since: evidence.now, reason: 'hold_over', step: 0 }
    case 'returning':
      return returning(record, evidence, policy)
  }
}

/** How a change is counted. */
export function resultOf(from: MitigationState, { state, reason }: MitigationRecord): MitigationResult {
  switch (state) {
    case 'normal':
      return from === 'warned' ? 'cleared' : 'returned'
    case 'warned':
      return reason === 'no_fallback' ? 'failed' : 'warned'
    default:
      return state
  }
}

/** The share of the traffic that goes to the first route. */
export function shareOf({ state, step = 0 }: MitigationRecord): number {
  if (state === 'moved') return 0
  return state === 'returning' ? (SHARES[step] ?? 1) : 1
}

/** Whether the window begins anew with a change: what was seen before says nothing about what comes. */
export function emptiesWindow(from: MitigationState, to: MitigationState): boolean {
  return to === 'moved' || to === 'returning' || from === 'returning'
}

/** How an alias stands for one caller, in an explanation. */
export type MitigationView = {
  readonly state: MitigationState
  readonly fallback: string
  /** Share of its traffic that goes to its own routes. */
  readonly share: number
  /** In words. */
  readonly reason: string
}

/** A record in words. */
export function viewOf(record: MitigationRecord, fallback: string): MitigationView {
  const { state, reason, until, note } = record
  const share = shareOf(record)
  const why = `${reason.replaceAll('_', ' ')}${note ? `: ${note}` : ''}`
  const words: Readonly<Record<MitigationState, string>> = {
    normal: 'on its own routes',
    warned: `on its own routes, which have errors (${why})`,
    moved: `moved to ${fallback} (${why}) until ${new Date(until ?? 0).toISOString()}`,
    returning: `returning from ${fallback}: ${Math.round(share * 100)} % of the calls go to its own routes`,
  }
  return { state, fallback, share, reason: words[state] }
}

function watched(record: MitigationRecord, evidence: Evidence, policy: Policy): MitigationRecord | undefined {
  const { now, attempts, failures, missing } = evidence
  if (missing >= MISSING_MOVES && missing * 2 > attempts) {
    return moved(record, evidence, { policy, reason: 'model_not_found' })
  }
  const isEnough = attempts >= policy.minAttempts // M1
  if (isEnough && failures > policy.critical * attempts) {
    return moved(record, evidence, { policy, reason: 'errors' })
  }
  if (record.state === 'normal') {
    const isOver = isEnough && failures > policy.warn * attempts
    return isOver ? { state: 'warned', since: now, reason: 'errors' } : undefined
  }
  // Half of it, so that a ratio that hovers at the limit is not said again and again.
  const isGood = failures <= (policy.warn / 2) * attempts && missing < MISSING_MOVES
  return isGood ? { state: 'normal', since: now, reason: 'recovered' } : undefined
}

function returning(
  record: MitigationRecord,
  evidence: Evidence,
  policy: Policy,
): MitigationRecord | undefined {
  const { now, attempts, failures, missing } = evidence
  // As many failures as even a full number of attempts would not bear need no waiting for the rest of them.
  if (missing > 0 || failures > policy.critical * Math.max(attempts, policy.minAttempts)) {
    return moved(record, evidence, { policy, reason: 'errors_returned' })
  }
  // An alias that is seldom asked would never have enough: a whole window in which it answered is enough, too.
  const isLong = now - record.since >= policy.windowMs && attempts > failures
  if (attempts < policy.minAttempts && !isLong) return undefined
  const step = (record.step ?? 0) + 1
  if (step >= SHARES.length) return { state: 'normal', since: now, reason: 'recovered' }
  return { state: 'returning', since: now, reason: 'share_borne', step }
}

/** The move to the fallback, if it can serve (M5). */
function moved(
  { state, reason: before }: MitigationRecord,
  { now, canMove, request }: Evidence,
  { policy, reason }: { policy: Policy; reason: MitigationReason },
): MitigationRecord | undefined {
  const note = request === undefined ? {} : { note: request }
  if (canMove) return { state: 'moved', since: now, reason, until: now + policy.holdMs, ...note }
  if (state === 'warned' && before === 'no_fallback') return undefined
  return { state: 'warned', since: now, reason: 'no_fallback', ...note }
}
