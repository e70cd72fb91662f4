/**
 * Names of all keys. A turn, its steps, its events, its session and its idempotency record carry the same hash tag,
 * so that one script may touch them all on a cluster. The session stands in the turn id: an id alone leads to all keys.
 */

import { createHash, randomBytes } from 'node:crypto'
import { TurnkeeperError } from '../errors.ts'

/** A session of a tenant, in one word: what the hash tag holds. */
export type SessionRef = string & { readonly brand: 'SessionRef' }

/** Keys of one session. */
export type SessionKeys = {
  /** List of turn ids in their order; the head is the one that may run. */
  readonly inbox: string
  /** Sorted set of turn ids that are not due yet, by due time. */
  readonly delayed: string
  /** List of JSON: the messages that completed turns have appended. */
  readonly history: string
  /** Record of an idempotency key. */
  idempotency(key: string): string
  turn(turnId: string): TurnKeys
}

/** Keys of one turn. */
export type TurnKeys = {
  /** Hash: state, epoch, input, result. */
  readonly turn: string
  /** Hash: step id → JSON record. */
  readonly steps: string
  /** Stream of events. */
  readonly events: string
  /** Channel that announces new events. */
  readonly channel: string
}

/** Keys of one tenant; all in the slot of the fleet. */
export type TenantKeys = {
  /** Sorted set of its turns that are not terminal, by their rank among wake-ups. */
  readonly open: string
  /** Sorted set of its turns that run, by the time at which their leases end. */
  readonly running: string
  /** Sorted set of its turns that wait because as many run as may, by rank. */
  readonly limited: string
}

/** Keys that belong to no session. */
export type GlobalKeys = {
  /** Sorted set of turns that are not terminal, by acceptance time. */
  readonly open: string
  /** Sorted set of sessions whose first turn could start, by the time since when it could. */
  readonly ready: string
  /** Set of tenants of which turns wait because as many run as may. */
  readonly limited: string
  tenant(tenant: string): TenantKeys
  /** Sorted set of turns that are, by the time of their end. */
  readonly ended: string
  /** Sorted set of dead letters: turns that were given up, by the time of their end. */
  readonly dead: string
  /** Stream of what people have told turns to do. */
  readonly audit: string
  /** Who counts the turns of the queue now. */
  readonly census: string
  /** Sorted set of worker ids, by the time until which they are believed alive. */
  readonly workers: string
  /** Sorted set of agent names, by the time until which a worker is known to have them. */
  readonly agents: string
  /** Prefix of the keys of health: breakers, probes, history. */
  readonly health: string
  /** Prefix of the profiles of routes, of the leases of their probes, and of what probes have cost. */
  readonly probes: string
  /** Hash of records of provider attempts; prefix of their indexes. */
  readonly records: string
  /** Prefix of the providers' model lists. */
  readonly models: string
  /** Prefix for BullMQ. */
  readonly bull: string
  /** Channel on which workers hear of turns to cancel. */
  readonly control: string
  /** Who counts what waits now. */
  readonly gauges: string
  /** Begins the keys of what a segment has spent on a day. */
  readonly spend: string
  /** Begins the keys of how many requests an API key has made in a minute. */
  readonly requests: string
  /** Who reconciles now. */
  readonly reconciler: string
}

const NAME = /^[A-Za-z0-9._:@+=-]{1,128}$/

/** Global keys under `prefix`. Tags keep together what one script touches, and a whole queue, as BullMQ needs. */
export function globalKeys(prefix: string): GlobalKeys {
  const fleet = `{${prefix}:fleet}`
  return {
    open: `${fleet}:open`,
    ready: `${fleet}:ready`,
    limited: `${fleet}:limited`,
    tenant: (tenant) => ({
      open: `${fleet}:open:${tenant}`,
      running: `${fleet}:running:${tenant}`,
      limited: `${fleet}:limited:${tenant}`,
    }),
    ended: `${fleet}:ended`,
    dead: `${prefix}:dead`,
    audit: `${prefix}:audit`,
    census: `${prefix}:census`,
    workers: `${fleet}:workers`,
    agents: `${fleet}:agents`,
    health: `${prefix}:health`,
    probes: `{${prefix}:probes}`,
    records: `{${prefix}:records}`,
    models: `${prefix}:models`,
    bull: `{${prefix}:bull}`,
    control: `${prefix}:control`,
    gauges: `${prefix}:gauges`,
    spend: `${prefix}:spend`,
    requests: `${prefix}:requests`,
    reconciler: `${prefix}:reconciler`,
  }
}

/**
 * The session of `sessionId` for a tenant.
 * @throws TurnkeeperError `turn/invalid_input` for a name that could not stand in a key or a URL.
 */
export function sessionRef(sessionId: string, tenant?: string): SessionRef {
  requireName('sessionId', sessionId)
  if (tenant === undefined) return sessionId as SessionRef
  requireName('tenant', tenant)
  return `${sessionId}~${tenant}` as SessionRef
}

/** The session id as the caller gave it. */
export function sessionIdOf(ref: SessionRef): string {
  return ref.split('~', 1)[0] as string
}

/** The tenant of a session; `default` where it has none. */
export function tenantOf(ref: SessionRef): string {
  return ref.split('~', 2)[1] ?? 'default'
}

/** The tenant of a turn; `default` where it has none. */
export function tenantOfTurn(turnId: string): string {
  return tenantOf(sessionOfTurn(turnId))
}

/** A session for a turn that names none: derived from the idempotency key, so that a repeated call finds it; or fresh. */
export function derivedSessionId(idempotencyKey?: string): string {
  if (idempotencyKey === undefined) return `s-${randomBytes(9).toString('hex')}`
  return `k-${createHash('sha256').update(idempotencyKey).digest('hex').slice(0, 24)}`
}

/** A new turn id in `ref`; unique, sortable by nothing, and safe in URLs and file names. */
export function newTurnId(ref: SessionRef): string {
  return `t-${randomBytes(8).toString('hex')}~${ref}`
}

/**
 * The session in which a turn lives.
 * @throws TurnkeeperError `turn/unknown_turn` for text that is not a turn id.
 */
export function sessionOfTurn(turnId: string): SessionRef {
  const tilde = turnId.indexOf('~')
  const ref = turnId.slice(tilde + 1)
  if (tilde < 0 || !ref.split('~').every((name) => NAME.test(name))) {
    throw new TurnkeeperError('unknown_turn', 'expected a turn id as enqueue returned it (t-…~session)')
  }
  return ref as SessionRef
}

/** Keys of the session `ref` under `prefix`. */
export function sessionKeys(prefix: string, ref: SessionRef): SessionKeys {
  const tagged = `${prefix}:{${ref}}`
  return {
    inbox: `${tagged}:inbox`,
    delayed: `${tagged}:delayed`,
    history: `${tagged}:history`,
    idempotency: (key) => `${tagged}:key:${createHash('sha256').update(key).digest('base64url')}`,
    turn: (turnId) => turnKeys(tagged, turnId),
  }
}

function turnKeys(tagged: string, turnId: string): TurnKeys {
  const id = turnId.slice(0, turnId.indexOf('~'))
  return {
    turn: `${tagged}:turn:${id}`,
    steps: `${tagged}:steps:${id}`,
    events: `${tagged}:events:${id}`,
    channel: `${tagged}:channel:${id}`,
  }
}

function requireName(what: string, name: string): void {
  if (NAME.test(name)) return
  throw new TurnkeeperError(
    'invalid_input',
    `${what}: expected 1 to 128 letters, digits or ._:@+=- , got ${JSON.stringify(name.slice(0, 40))}`,
  )
}
