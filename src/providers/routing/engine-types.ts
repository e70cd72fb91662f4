/** The contract of the attempt engine: what a caller asks for and what it is told. */

import type { AttemptSummary, TurnkeeperError } from '../../errors.ts'
import type { KnownAs } from '../../telemetry/telemetry.ts'
import type { PolicyReason } from '../policy.ts'
import type { ModelRequest, PartSink, Usage } from '../types.ts'
import type { ChooseOptions } from './router.ts'

/**
 * What led to each attempt after the first. `rotate`: the same route with another credential. A restart is a retry
 * (`from` is `to`) or a reroute after the commit point: what has been emitted is to be discarded. Before the first
 * attempt, with `from` as `to`: `pass_over` of a route that cannot serve the request, `images_as_text` where none sees;
 * and `mitigate`, from the first route of the alias to that of its fallback.
 */
export type Decision = {
  readonly type: 'retry' | 'rotate' | 'reroute' | 'restart' | 'pass_over' | 'images_as_text' | 'mitigate'
  readonly from: string
  readonly to: string
  /** Reason of the failure that caused it. */
  readonly reason: string
  /** How the next attempt is asked otherwise, where that is why it is made. */
  readonly policy?: PolicyReason
}

export type EngineOptions = ChooseOptions & {
  /** Whose call it is: the id of an API key. Errors are counted, and aliases moved, by it too. Default: one for all. */
  readonly segment?: string
  readonly signal?: AbortSignal
  /** Names from which the ids of the call's span follow, so that others can tell of it. Default: random ids. */
  readonly knownAs?: KnownAs
  /** Time that is left for the whole call; no attempt begins that would need more. Default: none. */
  readonly deadlineMs?: number
  /**
   * A failure after the commit point ends the call (`fail`, default), or makes the next attempt give the answer anew
   * from its `start` part (`restart`).
   */
  readonly afterCommit?: 'fail' | 'restart'
  /** Discard what has been emitted: the answer begins anew. */
  readonly onRestart?: (restart: Pick<Decision, 'from' | 'to' | 'reason'>) => void
  readonly onDecision?: (decision: Decision) => void
}

/** How a call went; the parts went to `emit`. */
export type RunOutcome = {
  readonly outcome: AttemptSummary['outcome']
  /** The route of the last attempt; null if there was none. */
  readonly route: string | null
  readonly attempts: readonly AttemptSummary[]
  /** Of the last attempt. */
  readonly usage: Usage | null
  readonly decisions: readonly Decision[]
  /** US dollars of all attempts; null where no price or no usage is known. */
  readonly costUsd: number | null
  /** Set unless `outcome` is `ok`. */
  readonly error?: TurnkeeperError
  /** No route of the alias is usable now: worth another look in so many milliseconds. */
  readonly nextProbeInMs?: number
}

export type AttemptEngine = {
  /** Never rejects. `request.model` is an alias or a `provider/model`. */
  run(request: ModelRequest, emit: PartSink, options?: EngineOptions): Promise<RunOutcome>
}
