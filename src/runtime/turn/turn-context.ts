import type { AttemptSummary, TurnkeeperError } from '../../errors.ts'
import type { ModelRequest, PartSink } from '../../providers/types.ts'
import type { Journal } from '../../queue/journal.ts'
import type { Claim } from '../../queue/journal-types.ts'
import type { Hold, StepDecision, TurnEventBody, TurnStep } from '../../queue/types.ts'
import type { KnownAs, Telemetry } from '../../telemetry/telemetry.ts'
import type { Agent } from '../agent.ts'

/** How the loop calls a model: through the attempt engine, which retries, reroutes and breaks circuits. */
export type CallModel = (
  request: ModelRequest,
  emit: PartSink,
  options: {
    readonly signal: AbortSignal
    /** Time that the turn has left. */
    readonly deadlineMs?: number
    /** Whose call it is, for the mitigation of aliases. */
    readonly segment?: string | undefined
    /** The answer begins anew on another attempt, after parts have been handed on. */
    readonly onRestart: (reason: string) => void
    /** Names of the span of the call. */
    readonly knownAs: KnownAs
    readonly onReroute: (from: string, to: string, reason: string) => void
  },
) => Promise<{
  readonly attempts: readonly AttemptSummary[]
  readonly decisions?: readonly StepDecision[]
  /** US dollars of all attempts; null where none is known. */
  readonly costUsd?: number | null
  /** No route can serve the call now: worth another look in so many milliseconds, or when a route comes back. */
  readonly waiting?: { readonly forMs: number; readonly reason: string }
}>

/** Everything that a running turn needs, made once by the worker. */
export type TurnContext = {
  readonly claim: Claim
  readonly agent: Agent
  readonly journal: Journal
  readonly callModel: CallModel
  readonly telemetry: Telemetry
  /** Ends the turn's work at once; its reason is a TurnkeeperError that says why. */
  readonly signal: AbortSignal
  /** Aborts `signal` at once if the turn's lease is over: called before anything is done that cannot be undone. */
  readonly checkLease: () => void
  /** Aborted when the worker is leaving: the turn is handed back before its next step. */
  readonly leaving: AbortSignal
}

/** Why a step gave no result. Everything here is expected; nothing of it is thrown. */
export type Interruption =
  | { readonly kind: 'fenced' }
  | { readonly kind: 'handed_back' }
  | { readonly kind: 'failed'; readonly error: TurnkeeperError }
  | { readonly kind: 'cancelled'; readonly reason: string; readonly step?: TurnStep }
  /** No route can serve: the turn waits for one, for so long at most. */
  | {
      readonly kind: 'no_route'
      readonly model: string
      readonly forMs: number
      /** Epoch milliseconds, on Redis's clock. */
      readonly until: number
      readonly reason: string
    }
  | Waiting

/** A step that waits for a person: to approve it, or to say what became of it. */
export type Waiting = {
  readonly kind: 'waiting_approval' | 'needs_review'
  readonly stepId: string
  readonly hold: Hold
  readonly event: TurnEventBody
  /** How long a person has, in milliseconds; only for an approval. */
  readonly holdMs?: number
}
