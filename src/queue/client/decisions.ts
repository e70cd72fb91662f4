/** What people decide about turns, as application code says it; each decision is audited once it counts. */

import { TurnkeeperError } from '../../errors.ts'
import { answering } from '../../redis/answering.ts'
import type { AuditEntry } from '../audit.ts'
import type { QueueBackend } from '../backend.ts'
import type { Decided, Decision } from '../control.ts'
import type { Json } from '../types.ts'

/** Who decides, and why. */
export type Decider = { readonly by: string; readonly reason?: string }

/** What a person has found out about a call whose outcome was unknown. */
export type ReviewDecision =
  | { readonly done: true; readonly result?: Json; readonly by: string }
  | { readonly done: false; readonly by: string }

export type Decisions = {
  /**
   * Lets a tool call run that waits for an approval; the turn goes on when it was the last one.
   * @throws TurnkeeperError `turn/unknown_turn`, `turn/not_waiting`, or `queue/redis_unavailable`.
   */
  approve(turnId: string, callId: string, decision: Decider): Promise<void>
  /** Refuses a tool call that waits for an approval; the model is told, with the reason. Errors as `approve`. */
  reject(turnId: string, callId: string, decision: Decider): Promise<void>
  /**
   * Ends a review: says whether the call whose outcome was unknown has taken effect, and with what result. If it has
   * not, it is run again. Errors as `approve`.
   */
  resolve(turnId: string, callId: string, decision: ReviewDecision): Promise<void>
}

export type DecisionsSource = Pick<QueueBackend, 'control' | 'audit' | 'wakeQueue'>

export function decisionsOn({ control, audit, wakeQueue }: DecisionsSource): Decisions {
  const decide = async (decision: Decision, entry: Omit<AuditEntry, 'at'>): Promise<void> => {
    const { turnId, callId = '' } = entry
    const decided = await answering(control.decide(turnId, callId, decision))
    if (decided.outcome !== 'decided') throw undecided(turnId, callId, decided)
    if (decided.goesOn) await wakeQueue.wake(turnId).catch(() => {})
    await answering(audit.record(entry))
  }
  return {
    approve: (turnId, callId, decider) =>
      decide(
        { kind: 'approval', state: 'approved', ...decider },
        { ...decider, action: 'approve', turnId, callId },
      ),
    reject: (turnId, callId, decider) =>
      decide(
        { kind: 'approval', state: 'rejected', ...decider },
        { ...decider, action: 'reject', turnId, callId },
      ),
    resolve(turnId, callId, decision) {
      const { by, done } = decision
      return decide(
        done
          ? { kind: 'review', state: 'done', by, result: JSON.stringify(decision.result ?? null) }
          : { kind: 'review', state: 'not_done', by },
        { by, action: 'resolve', turnId, callId, done },
      )
    },
  }
}

function undecided(
  turnId: string,
  callId: string,
  decided: Exclude<Decided, { outcome: 'decided' }>,
): TurnkeeperError {
  switch (decided.outcome) {
    case 'unknown':
      return new TurnkeeperError('unknown_turn', `no call ${callId} of turn ${turnId} waits for a decision`)
    case 'expired':
      return new TurnkeeperError('not_waiting', `the time to approve call ${callId} has passed`)
    case 'not_waiting':
      return new TurnkeeperError(
        'not_waiting',
        `turn ${turnId} waits for no such decision: it is ${decided.state}`,
      )
  }
}
