/**
 * Control of a turn from anywhere: cancelling it, and telling it what a person has decided.
 *
 * C1. A turn that nobody runs is cancelled at once; a running one when its worker hears of it: by a message, or else
 *     at the next renewal of its lease.
 * C2. A decision is taken once, for a call that waits for it; the turn goes on after the last one.
 */

import type { RedisConnection } from '../redis/connection.ts'
import { globalKeys, sessionKeys, sessionOfTurn } from '../redis/keys.ts'
import { loadScript } from '../redis/scripts.ts'
import { type Journal, toFollowing } from './journal.ts'
import type { Following } from './journal-types.ts'
import type { TurnEventBody, TurnRecord, TurnResult, TurnState } from './types.ts'

export type Cancelled =
  | { readonly outcome: 'cancelled'; readonly following: Following }
  | { readonly outcome: 'requested' | 'unknown' }
  | { readonly outcome: 'ended'; readonly state: TurnState }

export type Decided =
  | { readonly outcome: 'decided'; readonly goesOn: boolean }
  | { readonly outcome: 'unknown' | 'expired' }
  | { readonly outcome: 'not_waiting'; readonly state: TurnState }

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
}

export type ControlOptions = {
  readonly redis: RedisConnection
  readonly prefix: string
  readonly journal: Journal
  readonly resultTtlMs: number
  readonly eventTtlMs: number
}

export function createControl({ redis, prefix, journal, resultTtlMs, eventTtlMs }: ControlOptions): Control {
  const cancel = loadScript('cancel', import.meta.url)
  const decide = loadScript('decide', import.meta.url)
  const { control } = globalKeys(prefix)
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
        ],
      )) as [Cancelled['outcome'], string?, string?]
      if (outcome === 'ended') return { outcome, state: first as TurnState }
      if (outcome === 'requested') await redis.publish(control, JSON.stringify({ turnId: turn.id, reason }))
      if (outcome !== 'cancelled') return { outcome }
      await journal.closeIndex(turn.id)
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
          JSON.stringify(decision),
          keys.channel,
          events.length > 0 ? JSON.stringify(events) : '',
        ],
      )) as [Decided['outcome'], string?]
      if (outcome === 'decided') return { outcome, goesOn: detail === '1' }
      if (outcome === 'not_waiting') return { outcome, state: detail as TurnState }
      return { outcome }
    },
  }
}
