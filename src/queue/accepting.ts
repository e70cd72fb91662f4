/** Accepting a turn: what the script is given, and what it says. */

import { createHash } from 'node:crypto'
import type { SessionKeys } from '../redis/keys.ts'
import type { ScriptCall } from '../redis/scripts.ts'
import type { Accepted, NewTurn } from './journal-types.ts'
import type { Json } from './types.ts'

/** A turn that has got its id: a command that is sent again finds what it has done. */
export type NamedTurn = NewTurn & { readonly turnId: string }

/** A hash of any JSON, for comparing what was asked. */
export function hashOf(value: Json): string {
  return createHash('sha256')
    .update(JSON.stringify(value) ?? 'undefined')
    .digest('base64url')
    .slice(0, 22)
}

/** Keys and arguments of `accept.lua`. */
export function acceptCall(session: SessionKeys, turn: NamedTurn): ScriptCall {
  const { turnId, idempotencyKey } = turn
  const { turn: key } = session.turn(turnId)
  const isNamed = idempotencyKey !== undefined
  return {
    keys: [key, session.inbox, session.delayed, isNamed ? session.idempotency(idempotencyKey) : key],
    args: [
      turnId,
      isNamed ? '1' : '',
      isNamed ? hashOf([turn.agent, turn.input, turn.options]) : '',
      turn.delayMs ?? 0,
      turn.deadlineMs ?? '',
      'agent',
      turn.agent,
      'input',
      turn.input,
      ...jsonField('options', turn.options),
      ...jsonField('carrier', turn.carrier),
      ...(isNamed ? ['idempotencyKey', idempotencyKey] : []),
    ],
  }
}

/** What is empty is not kept. */
function jsonField(name: string, value: object): string[] {
  const text = JSON.stringify(value)
  return text === '{}' ? [] : [name, text]
}

/** What `accept.lua` says. */
export type AcceptReply = readonly [outcome: string, turnId: string, position?: string, acceptedAt?: string]

export function toAccepted([outcome, turnId, position, acceptedAt]: AcceptReply): Accepted {
  if (outcome === 'conflict') return { outcome, turnId }
  return {
    outcome: outcome as 'accepted' | 'duplicate',
    turnId,
    position: Number(position),
    acceptedAt: Number(acceptedAt ?? 0),
  }
}
