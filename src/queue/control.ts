/**
 * Control of a turn from anywhere: cancelling it, telling it what a person has decided, and trying it again.
 *
 * C1. A turn that nobody runs is cancelled at once; a running one when its worker hears of it: by a message, or else
 *     at the next renewal of its lease, or at the claim of the worker that takes it over.
 * C2. A decision is taken once, for a call that waits for it; the turn goes on after the last one.
 * C3. The retry of a turn is entered in the indexes of open turns first: a crash leaves something to complete.
 */

import { randomBytes } from 'node:crypto'
import type { RedisConnection } from '../redis/connection.ts'
import { globalKeys, newTurnId, sessionKeys, sessionOfTurn } from '../redis/keys.ts'
import { loadScript } from '../redis/scripts.ts'
import type { Backlog } from './backlog.ts'
import { toFollowing } from './claiming.ts'
import type { Journal } from './journal.ts'
import type { Following } from './journal-types.ts'
import { holdToText } from './records.ts'
import type { TurnEventBody, TurnRecord, TurnResult, TurnState } from './types.ts'

export type Cancelled =
  | { readonly outcome: 'cancelled'; readonly following: Following }
  | { readonly outcome: 'requested' | 'unknown' }
  | { readonly outcome: 'ended'; readonly state: TurnState }

export type Decided =
  | { readonly outcome: 'decided'; readonly goesOn: boolean }
  | { readonly outcome: 'unknown' | 'expired' }
  | { readonly outcome: 'not_waiting'; readonly state: TurnState }

export type Retried =
  /** `again`: it had been retried before, as `turnId`. */
  | { readonly outcome: 'retried' | 'again'; readonly turnId: string }
  | { readonly outcome: 'not_failed'; readonly state: TurnState }
  | { readonly outcome: 'unknown' }

/** What a person says about a call: fields of its `Hold`. */
export type Decision =
  | {
      readonly kind: 'approval'
      readonly state: 'approved' | 'rejected'
      readonly by: string
      readonly reason?: string
    }
  | {
      readonly kind: 'review'
      readonly state: 'done' | 'not_done'
      readonly by: string
      readonly result?: string
    }

export type Control = {
  /** `result` is what the turn ends with where nobody runs it. */
  cancel(turn: TurnRecord, reason: string, result: TurnResult): Promise<Cancelled>
  decide(turnId: string, callId: string, decision: Decision): Promise<Decided>
  /** Enqueues a failed turn again, with what is known of its steps (J11), at a priority of 0 to 10. */
  retry(turnId: string, priority: number): Promise<Retried>
}

export type ControlOptions = {
  readonly redis: RedisConnection
  readonly prefix: string
  readonly journal: Journal
  readonly backlog: Pick<Backlog, 'enlist' | 'forget'>
  readonly resultTtlMs: number
  readonly eventTtlMs: number
}

export function createControl({
  redis,
  prefix,
  journal,
  backlog,
  resultTtlMs,
  eventTtlMs,
}: ControlOptions): Control {
  const cancel = loadScript('cancel', import.meta.url)
  const decide = loadScript('decide', import.meta.url)
  const retry = loadScript('retry', import.meta.url)
  const { control, open, dead } = globalKeys(prefix)
  return {
    async cancel(turn, reason, result) {
      const session = sessionKeys(prefix, sessionOfTurn(turn.id))
      const keys = session.turn(turn.id)
      const { idempotencyKey } = turn
      const event: TurnEventBody = { type: 'turn.cancelled', reason }
      const [outcome, first, second] = (await cancel.run(
        redis,
        [
          keys.turn,
          keys.steps,
          keys.events,
          session.inbox,
          session.delayed,
          idempotencyKey === undefined ? keys.turn : session.idempotency(idempotencyKey),
        ],
        [
          turn.id,
          reason,
          JSON.stringify(result),
          keys.channel,
          JSON.stringify([event]),
          resultTtlMs,
          eventTtlMs,
          newToken(),
        ],
      )) as [Cancelled['outcome'], string?, string?]
      if (outcome === 'ended') return { outcome, state: first as TurnState }
      if (outcome === 'requested') await redis.publish(control, JSON.stringify({ turnId: turn.id, reason }))
      if (outcome !== 'cancelled') return { outcome }
      await journal.closeIndex(turn.id, result)
      return { outcome, following: toFollowing(first, second) }
    },

    async decide(turnId, callId, { kind, ...decision }) {
      const keys = sessionKeys(prefix, sessionOfTurn(turnId)).turn(turnId)
      const events: readonly TurnEventBody[] =
        kind === 'approval'
          ? [
              {
                type: 'approval.decided',
                callId,
                decision: decision.state === 'approved' ? 'approve' : 'reject',
                by: decision.by,
              },
            ]
          : []
      const [outcome, detail] = (await decide.run(
        redis,
        [keys.turn, keys.steps, keys.events],
        [
          kind,
          callId,
          holdToText({ ...decision, token: newToken() }),
          keys.channel,
          events.length > 0 ? JSON.stringify(events) : '',
        ],
      )) as [Decided['outcome'], string?]
      if (outcome === 'decided') return { outcome, goesOn: detail === '1' }
      if (outcome === 'not_waiting') return { outcome, state: detail as TurnState }
      return { outcome }
    },

    async retry(turnId, priority) {
      const ref = sessionOfTurn(turnId)
      const session = sessionKeys(prefix, ref)
      const newId = newTurnId(ref)
      const [failed, next] = [session.turn(turnId), session.turn(newId)]
      await redis.zadd(open, Date.now(), newId) // C3
      await backlog.enlist(newId, priority)
      const [outcome, detail = ''] = (await retry.run(
        redis,
        [failed.turn, failed.steps, next.turn, next.steps, session.inbox],
        [turnId, newId],
      )) as [Retried['outcome'], string?]
      if (outcome !== 'retried') await backlog.forget(newId)
      if (outcome === 'not_failed') return { outcome, state: detail as TurnState }
      if (outcome === 'unknown') return { outcome }
      await redis.zrem(dead, turnId)
      return { outcome, turnId: detail }
    },
  }
}

/** Of one call: its command, sent again after a lost reply, knows itself by it. */
function newToken(): string {
  return randomBytes(9).toString('base64url')
}
