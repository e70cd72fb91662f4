/** A turn with all that a person needs in order to decide: what it waits for, and what others have decided. */

import type { RedisConnection } from '../../redis/connection.ts'
import { sessionKeys, sessionOfTurn } from '../../redis/keys.ts'
import type { Audit, AuditEntry } from '../audit.ts'
import type { Hold, Json, TurnRecord } from '../types.ts'

/** A call that waits for a person. */
export type PendingCall = {
  /** `approve` or `reject` the one, `resolve` the other. */
  readonly kind: 'approval' | 'review'
  readonly stepId: string
  readonly callId: string
  /** Of the tool. */
  readonly name: string
  readonly input?: Json
  /** Of name and input: the decision counts for these alone. */
  readonly hash?: string
  /** When the call counts as rejected, in milliseconds since 1970; only of an approval. */
  readonly expiresAt?: number
}

export type TurnDetails = TurnRecord & {
  readonly waitsFor: readonly PendingCall[]
  readonly audit: readonly AuditEntry[]
}

export type DetailsSource = {
  readonly redis: RedisConnection
  readonly prefix: string
  readonly audit: Audit
}

/** What the journal and the audit know beyond the record. */
export async function readDetails(source: DetailsSource, record: TurnRecord): Promise<TurnDetails> {
  const [waitsFor, audit] = await Promise.all([
    pendingCalls(source, record),
    source.audit.of(record.id, record.acceptedAt),
  ])
  return { ...record, waitsFor, audit }
}

const KIND_BY_STATE = { waiting_approval: 'approval', needs_review: 'review' } as const

async function pendingCalls({ redis, prefix }: DetailsSource, record: TurnRecord): Promise<PendingCall[]> {
  const { id, state, holdUntil } = record
  if (state !== 'waiting_approval' && state !== 'needs_review') return []
  const kind = KIND_BY_STATE[state]
  const { steps } = sessionKeys(prefix, sessionOfTurn(id)).turn(id)
  // The results of the steps may be large: only the fields in question are read.
  const fields = (await redis.hkeys(steps)).filter((field) => field.endsWith(`:${kind}`)).sort()
  if (fields.length === 0) return []
  const texts = await redis.hmget(steps, ...fields)
  return fields.flatMap((field, i) => {
    const hold = JSON.parse(texts[i] ?? '{}') as Hold // written by the runtime alone
    if (hold.state !== 'pending') return []
    return {
      kind,
      stepId: field.slice(0, -kind.length - 1),
      callId: hold.callId,
      name: hold.name,
      ...(hold.input !== undefined && { input: JSON.parse(hold.input) as Json }),
      ...(hold.hash !== undefined && { hash: hold.hash }),
      ...(kind === 'approval' && holdUntil !== undefined && { expiresAt: holdUntil }),
    }
  })
}
