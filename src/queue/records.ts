import { type SessionRef, sessionIdOf, sessionOfTurn } from '../redis/keys.ts'
import type { Carrier } from '../telemetry/telemetry.ts'
import type { Json, TurnOptions, TurnRecord, TurnResult, TurnState } from './types.ts'

const RESULT_SUFFIX = ':result'

/** A turn from the flat reply of HGETALL. */
export function hashToRecord(flat: readonly string[]): TurnRecord {
  const hash = toMap(flat)
  const text = (field: string): string => hash.get(field) ?? ''
  const time = (field: string): number | undefined => (text(field) === '' ? undefined : Number(text(field)))
  const session: SessionRef = sessionOfTurn(text('id'))
  const deadlineAt = time('deadlineAt')
  const startedAt = time('startedAt')
  const endedAt = time('endedAt')
  return {
    id: text('id'),
    sessionId: sessionIdOf(session),
    agent: text('agent'),
    state: text('state') as TurnState,
    epoch: Number(text('epoch')),
    input: text('input'),
    options: JSON.parse(text('options') || '{}') as TurnOptions,
    carrier: JSON.parse(text('carrier') || '{}') as Carrier,
    position: Number(text('position')),
    acceptedAt: Number(text('acceptedAt')),
    dueAt: Number(text('dueAt')),
    ...(deadlineAt !== undefined && { deadlineAt }),
    ...(startedAt !== undefined && { startedAt }),
    ...(endedAt !== undefined && { endedAt }),
    ...(text('idempotencyKey') !== '' && { idempotencyKey: text('idempotencyKey') }),
    ...(text('worker') !== '' && { worker: text('worker') }),
    ...(text('result') !== '' && { result: JSON.parse(text('result')) as TurnResult }),
  }
}

/** Results of the steps that are done, from the flat reply of HGETALL. */
export function hashToSteps(flat: readonly string[]): ReadonlyMap<string, Json> {
  const done = new Map<string, Json>()
  for (const [field, value] of toMap(flat)) {
    if (field.endsWith(RESULT_SUFFIX)) done.set(field.slice(0, -RESULT_SUFFIX.length), JSON.parse(value))
  }
  return done
}

function toMap(flat: readonly string[]): Map<string, string> {
  const map = new Map<string, string>()
  for (let i = 0; i + 1 < flat.length; i += 2) map.set(String(flat[i]), String(flat[i + 1]))
  return map
}
