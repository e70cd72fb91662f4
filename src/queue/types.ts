/**
 * Words of the queue.
 *
 * - **journal**: the durable record of turns and steps; the truth.
 * - **wake-up**: a BullMQ job that says "look at this session"; it carries no state, and losing it loses nothing.
 * - **lease**: for how long a worker may run a turn without a sign of life.
 * - **epoch**: raised by each claim; a write under an older one is refused.
 *
 * This folder knows nothing of models: messages, inputs and results are JSON to it.
 */

import type { SerializedError } from '../errors.ts'
import type { Carrier } from '../telemetry/telemetry.ts'

/** Anything that `JSON.stringify` keeps. */
export type Json = unknown

export type TurnState =
  | 'queued'
  | 'running'
  | 'waiting_approval'
  | 'needs_review'
  | 'completed'
  | 'failed'
  | 'cancelled'

export type StepKind = 'model' | 'tool'
export type Effect = 'pure' | 'idempotent' | 'unsafe'

/** What a turn waits for a person to say about one tool call, and what was said. */
export type Hold = {
  readonly state: 'pending' | 'approved' | 'rejected' | 'done' | 'not_done'
  readonly callId: string
  readonly name: string
  /** JSON of what the tool was called with, for whoever decides. */
  readonly input?: string
  /** Of the call's name and input: the decision counts for these alone. */
  readonly hash?: string
  /** The start whose outcome is unknown: the decision counts for this one alone. */
  readonly nonce?: string
  /** Who decided. */
  readonly by?: string
  /** Why a call was rejected. */
  readonly reason?: string
  /** JSON of what the tool had returned, where a review says that it was done. */
  readonly result?: string
}

/** What the caller asked for, as the journal keeps it. */
export type TurnOptions = {
  readonly model?: string
  readonly parameters?: Readonly<Record<string, Json>>
  readonly metadata?: Readonly<Record<string, Json>>
  readonly tenant?: string
  /** Whose traffic a mitigation counts apart. */
  readonly segment?: string
  readonly priority?: number
}

/** A turn as the journal has it. All times in milliseconds since 1970, on Redis's clock. */
export type TurnRecord = {
  readonly id: string
  readonly sessionId: string
  readonly agent: string
  readonly state: TurnState
  readonly epoch: number
  readonly input: string
  readonly options: TurnOptions
  readonly idempotencyKey?: string
  /** Trace context of whoever enqueued it. */
  readonly carrier: Carrier
  /** Turns of the session ahead of it when it was accepted. */
  readonly position: number
  readonly acceptedAt: number
  readonly dueAt: number
  readonly deadlineAt?: number
  readonly startedAt?: number
  readonly endedAt?: number
  readonly worker?: string
  readonly result?: TurnResult
  /** Until when a turn that waits for an approval does so. */
  readonly holdUntil?: number
  /** The failed turn that this one repeats, with its finished steps. */
  readonly retryOf?: string
  /** The first of a row of retries: idempotency keys of tools are derived from it. */
  readonly origin?: string
  /** The turn that repeats this one. */
  readonly retriedAs?: string
}

/** One physical request, as it is shown in a result. */
export type StepAttempt = {
  readonly route: string
  readonly outcome: string
  readonly code?: string
  readonly durationMs: number
  /** Of the record with the evidence of a failed one. */
  readonly recordId?: string
  /** Whether an event stream was asked for. */
  readonly streamed?: boolean
  /** Why it was asked as it was: `tool_turn`, `sse_parse`, `json_fallback`, `tools_shown_safe` … (docs/providers.md). */
  readonly policy?: readonly string[]
  /** Parameters that the provider does not have and that were left out. */
  readonly notSent?: readonly string[]
  /** US dollars; absent where no price or no usage is known. */
  readonly costUsd?: number
}

/** What was decided in a model step besides its first attempt: a retry, a reroute, a route passed over, plan mode. */
export type StepDecision = {
  readonly type: string
  readonly from: string
  readonly to: string
  readonly reason: string
  readonly policy?: string
}

/** One finished step of a turn. */
export type TurnStep = {
  readonly id: string
  readonly kind: StepKind
  /** Model alias or tool name. */
  readonly name: string
  readonly durationMs: number
  /** Route that answered a model step. */
  readonly route?: string
  /** All physical requests of a model step, in order. */
  readonly attempts?: readonly StepAttempt[]
  readonly decisions?: readonly StepDecision[]
  /** US dollars of all attempts of a model step; absent where none is known. */
  readonly costUsd?: number
  /** Code of the error that a tool step gave to the model. */
  readonly error?: string
}

/** Sums over all model steps; null where no upstream reported the count. */
export type TurnUsage = {
  readonly inputTokens: number | null
  readonly outputTokens: number | null
  readonly totalTokens: number | null
  readonly cachedInputTokens: number | null
  readonly reasoningTokens: number | null
}

/** Nothing reported yet. */
export const noUsage: TurnUsage = {
  inputTokens: null,
  outputTokens: null,
  totalTokens: null,
  cachedInputTokens: null,
  reasoningTokens: null,
}

/** What `result()` resolves to. */
export type TurnResult = {
  readonly id: string
  readonly sessionId: string
  readonly status: 'completed' | 'failed' | 'cancelled' | 'needs_review'
  /** Text of the last model step; empty if none finished. */
  readonly text: string
  readonly steps: readonly TurnStep[]
  readonly usage: TurnUsage
  /** US dollars; null while no price is known. */
  readonly costUsd: number | null
  readonly finishReason: string | null
  /** Routes that answered, in the order of their first use. */
  readonly routes: readonly string[]
  readonly error?: SerializedError
}

/** The events of a turn, as a reader gets them. */
export type TurnEvent = { readonly id: string; readonly turnId: string; readonly at: number } & TurnEventBody

export type TurnEventBody =
  | { readonly type: 'turn.queued'; readonly position: number }
  | { readonly type: 'turn.started'; readonly worker: string; readonly epoch: number }
  | { readonly type: 'step.started'; readonly stepId: string; readonly kind: StepKind; readonly name: string }
  | { readonly type: 'text.delta'; readonly stepId: string; readonly delta: string }
  | { readonly type: 'reasoning.delta'; readonly stepId: string; readonly delta: string }
  | {
      readonly type: 'tool.call'
      readonly stepId: string
      readonly callId: string
      readonly name: string
      readonly input: Json
    }
  | {
      readonly type: 'tool.result'
      readonly stepId: string
      readonly callId: string
      readonly output?: Json
      readonly error?: string
    }
  | { readonly type: 'step.completed'; readonly stepId: string }
  /** Discard the deltas of that step: it starts again. */
  | { readonly type: 'step.restarted'; readonly stepId: string; readonly reason: string }
  | { readonly type: 'route.changed'; readonly from: string; readonly to: string; readonly reason: string }
  /** Nothing runs it until then; `reason` is the code of what it waits for. */
  | { readonly type: 'turn.waiting'; readonly until: number; readonly reason: string }
  | {
      readonly type: 'approval.requested'
      readonly callId: string
      readonly name: string
      readonly input: Json
      readonly expiresAt: number
    }
  | {
      readonly type: 'approval.decided'
      readonly callId: string
      readonly decision: 'approve' | 'reject'
      readonly by: string
    }
  | { readonly type: 'turn.needs_review'; readonly callId: string; readonly reason: string }
  | { readonly type: 'turn.completed'; readonly text: string }
  | { readonly type: 'turn.failed'; readonly error: SerializedError }
  | { readonly type: 'turn.cancelled'; readonly reason: string }

const ENDS: ReadonlySet<string> = new Set([
  'turn.completed',
  'turn.failed',
  'turn.cancelled',
  'turn.needs_review',
])

/** Whether a reader stops after an event of this type. */
export function endsReading(type: string): boolean {
  return ENDS.has(type)
}

const TERMINAL: ReadonlySet<string> = new Set(['completed', 'failed', 'cancelled'])

/** Whether a turn in this state never changes again. */
export function isTerminal(state: TurnState): boolean {
  return TERMINAL.has(state)
}
