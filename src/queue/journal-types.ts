/** What the journal is given and what it answers. Expected endings are values; only a silent Redis rejects. */

import type { SessionRef } from '../redis/keys.ts'
import type { Carrier } from '../telemetry/telemetry.ts'
import type {
  Effect,
  Hold,
  Json,
  StepKind,
  TurnEventBody,
  TurnOptions,
  TurnRecord,
  TurnResult,
  TurnState,
} from './types.ts'

export type NewTurn = {
  readonly session: SessionRef
  readonly agent: string
  readonly input: string
  readonly options: TurnOptions
  readonly carrier: Carrier
  readonly idempotencyKey?: string
  readonly delayMs?: number
  readonly deadlineMs?: number
}

export type Accepted =
  | {
      readonly outcome: 'accepted' | 'duplicate'
      readonly turnId: string
      readonly position: number
      /** On Redis's clock, in milliseconds; 0 where an earlier version has accepted it. */
      readonly acceptedAt: number
    }
  | { readonly outcome: 'conflict'; readonly turnId: string }

/** A turn that was admitted and accepted, and its rank among the wake-ups. */
export type Taken = { readonly accepted: Accepted; readonly rank: number }

/** What a session wants next. */
export type Following =
  | { readonly kind: 'turn'; readonly turnId: string }
  | { readonly kind: 'due'; readonly inMs: number }
  | { readonly kind: 'nothing' }

/** Who claims a turn. */
export type Claimant = {
  readonly worker: string
  readonly wakeup: string
  readonly leaseMs: number
  readonly agents: readonly string[] | '*'
  /** A worker that has died: its lease counts no longer. */
  readonly gone?: string
}

/** `roused`: turns of the tenant that may be woken, since this one has no place any more. */
export type ClaimOutcome = (
  | { readonly outcome: 'claimed'; readonly claim: Claim }
  /** As many turns of its tenant run as may: it is woken when one of them ends (B3). */
  | { readonly outcome: 'limited' }
  | { readonly outcome: 'next'; readonly following: Following }
  | { readonly outcome: 'busy'; readonly forMs: number; readonly worker: string }
  /** It waits for a person; `forMs` is how long an approval may still take. */
  | { readonly outcome: 'parked'; readonly state: TurnState; readonly forMs?: number }
  | { readonly outcome: 'unserved'; readonly agent: string; readonly sinceMs: number }
) & { readonly roused?: readonly string[] }

/** A turn in the hands of a worker. */
export type Claim = {
  readonly turn: TurnRecord
  readonly session: SessionRef
  readonly epoch: number
  /** Results of the steps that are done, by step id. */
  readonly done: ReadonlyMap<string, Json>
  /** What a person was asked, by step id. */
  readonly approvals: ReadonlyMap<string, Hold>
  /** Claims since the last committed step, this one included. */
  readonly idleClaims: number
  /** The run before this one, as the epoch before, if its worker never let go of the turn. */
  readonly lost?: LostRun
  /** The model step of which readers were shown something last, in an earlier run. */
  readonly shown?: ShownStep
  /** Why somebody has asked an earlier worker, which was lost, to cancel the turn. */
  readonly cancel?: string
  /** What the completed turns of the session have appended, one entry a turn. */
  readonly history: readonly Json[]
  /** Redis's clock at the claim, in milliseconds. */
  readonly now: number
  /** This process's monotonic clock at the claim. */
  readonly claimedAt: number
}

/** A model step that has begun. */
export type ShownStep = {
  /** Of the run that has shown it. */
  readonly epoch: number
  readonly stepId: string
  /** Of the model. */
  readonly name: string
  /** On Redis's clock, in milliseconds. */
  readonly startedAt: number
}

/** Times in milliseconds, on Redis's clock. */
export type LostRun = {
  readonly worker: string
  readonly claimedAt: number
  /** What the worker had begun and not finished. */
  readonly steps: readonly {
    readonly stepId: string
    readonly kind: StepKind
    readonly name: string
    readonly startedAt: number
  }[]
}

/** A tool's step; a model's leaves no trace in the journal before its result. */
export type StepStart = {
  readonly stepId: string
  readonly nonce: string
  readonly kind: StepKind
  readonly name: string
  readonly effect: Effect
  /** Hash of what the step is asked to do: a replay that asks for something else is noticed. */
  readonly hash: string
  readonly events: readonly TurnEventBody[]
}

export type BeginOutcome =
  | { readonly outcome: 'go' | 'mismatch' | 'fenced' }
  /** An unsafe step was begun by a worker that was lost; `nonce` names that start. */
  | { readonly outcome: 'ambiguous'; readonly nonce: string }
  /** A person has said what became of that start. */
  | { readonly outcome: 'reviewed'; readonly decision: Hold }
  | { readonly outcome: 'done'; readonly result: Json }

export type WriteOutcome = 'ok' | 'fenced'

export type RenewOutcome =
  | { readonly outcome: WriteOutcome }
  | { readonly outcome: 'cancel'; readonly reason: string }

/** What is written when a step has ended. */
export type StepCommit = {
  readonly stepId: string
  /** Of its start; none for a model's step, which may run twice. */
  readonly nonce?: string
  readonly result: Json
  readonly events: readonly TurnEventBody[]
}

/** How a worker lets go of a turn. */
export type TurnEnding = {
  readonly state: Exclude<TurnState, 'running'>
  readonly result?: TurnResult
  /** Messages that the session keeps; only of a completed turn. */
  readonly messages?: Json
  readonly events: readonly TurnEventBody[]
  /** What a parked turn waits for, by step id. */
  readonly holds?: ReadonlyMap<string, Hold>
  /** After how long a turn that waits for an approval goes on without it, in milliseconds. */
  readonly holdMs?: number
}

/** Times in milliseconds, on Redis's clock. */
export type Standing = {
  readonly state: TurnState
  readonly leaseLeftMs: number
  readonly dueInMs: number
  readonly holdLeftMs: number
  /** Who claimed it last; empty if nobody has. */
  readonly worker: string
}

export type FinishOutcome =
  | {
      readonly outcome: 'ok'
      readonly following: Following
      /** The turn's place was given back, and these may be woken for it. */
      readonly roused: readonly string[]
    }
  | { readonly outcome: 'fenced' }
