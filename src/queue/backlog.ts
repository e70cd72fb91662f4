/**
 * Who waits, who runs and who must wait longer: indexes over all sessions, in one slot. The journal is the truth;
 * what a crash leaves here is taken away by a lease that ends, by the reconciler, or by the next look.
 *
 * B1. A turn is admitted before it is accepted, and never refused afterwards. It stands in the indexes of open turns
 *     from then on until it has ended.
 * B2. A session is marked ready while its first turn could start: due, not running, not parked.
 * B3. At most `running` turns of a tenant run at once. One more waits without a wake-up, and is woken when one ends;
 *     a place that a dead worker held is free when its lease has ended.
 * B4. A turn's rank among the wake-ups is fixed at its acceptance: priority first, then the tenant's backlog, so that
 *     who has much waiting lets others pass.
 */

import type { TenantLimits, TenantsConfig } from '../config/config.ts'
import { DEFAULTS } from '../config/defaults.ts'
import type { RedisConnection } from '../redis/connection.ts'
import { globalKeys, type SessionRef, sessionKeys, sessionOfTurn, tenantOfTurn } from '../redis/keys.ts'
import { loadScript } from '../redis/scripts.ts'

export type Admission =
  /** Ranks in the order of the turns. */
  | { readonly outcome: 'admitted'; readonly ranks: readonly number[] }
  /** Workers run, and none has this agent. */
  | { readonly outcome: 'unserved'; readonly agent: string }
  /** The oldest turn that could start has waited too long. */
  | { readonly outcome: 'late'; readonly ageMs: number }
  /** The tenant has as many turns waiting as it may. */
  | { readonly outcome: 'full'; readonly tenant: string; readonly queued: number }

export type ToAdmit = { readonly turnId: string; readonly agent: string; readonly priority: number }

/** `limited`: the turn waits for another one of its tenant, and needs no wake-up now. */
export type Roused = { readonly outcome: 'go'; readonly rank: number } | { readonly outcome: 'limited' }

/** How much waits, and for how long. */
export type BacklogSize = {
  /** Sessions whose first turn could start now. */
  readonly ready: number
  /** Turns that wait because as many of their tenant run as may. */
  readonly limited: number
  readonly oldestMs: number
}

export type BacklogOptions = {
  readonly redis: RedisConnection
  readonly prefix: string
  readonly tenants?: TenantsConfig
  readonly maxQueueAgeMs?: number
}

export type Backlog = ReturnType<typeof createBacklog>

const HIGHEST_PRIORITY = 10
const PRIORITY_STEP = 100_000
/** Marks looked at in one pass of healing, oldest first. */
const PAGE = 100

const script = (name: string) => loadScript(name, import.meta.url)

/** The indexes on one connection. Its methods reject only when Redis cannot be reached. */
export function createBacklog({
  redis,
  prefix,
  tenants = { default: DEFAULTS.queue.tenant },
  maxQueueAgeMs = DEFAULTS.queue.maxQueueAgeMs,
}: BacklogOptions) {
  const [admit, rouse, start] = [script('admit'), script('rouse'), script('start')]
  const [stop, close, keep] = [script('stop'), script('close'), script('keep')]
  const [mark, size] = [script('mark'), script('size')]
  const global = globalKeys(prefix)
  const limitsOf = (tenant: string): TenantLimits => tenants[tenant] ?? tenants.default
  const keysFor = (turnId: string): string[] => {
    const { open, running, limited } = global.tenant(tenantOfTurn(turnId))
    return [global.ready, global.limited, open, running, limited]
  }

  return {
    /** The limits of a tenant, for scripts of which these indexes are a part. */
    limitsOf,

    /** When a turn may no longer be admitted since another one has waited for too long, in milliseconds. */
    maxQueueAgeMs,

    /** Admits turns, all or none (B1). The same call again gives the same ranks. */
    async admit(turns: readonly ToAdmit[]): Promise<Admission> {
      const names = [...new Set(turns.map(({ turnId }) => tenantOfTurn(turnId)))]
      const reply = (await admit.run(
        redis,
        [
          global.workers,
          global.agents,
          global.open,
          global.ready,
          ...names.map(global.tenant).flatMap(({ open, running }) => [open, running]),
        ],
        [
          maxQueueAgeMs,
          names.length,
          ...names.map((name) => limitsOf(name).queued),
          ...turns.flatMap(({ turnId, agent, priority }) => [
            turnId,
            agent,
            names.indexOf(tenantOfTurn(turnId)) + 1,
            ...rankArgs(priority),
          ]),
        ],
      )) as [Admission['outcome'], ...string[]]
      const [outcome, first = '', second] = reply
      switch (outcome) {
        case 'admitted':
          return { outcome, ranks: reply.slice(1).map(Number) }
        case 'unserved':
          return { outcome, agent: first }
        case 'late':
          return { outcome, ageMs: Number(first) }
        case 'full':
          return { outcome, tenant: names[Number(first) - 1] ?? '', queued: Number(second) }
      }
    },

    /** Enters a turn that is accepted without being admitted: no limit keeps it out. */
    async enlist(turnId: string, priority: number): Promise<void> {
      const { open } = global.tenant(tenantOfTurn(turnId))
      await redis.zadd(open, baseRank(priority), turnId)
    },

    /** Marks that sessions could start, after `delayMs`; for who knows the rank already (B2). */
    async markReady(sessions: readonly { session: SessionRef; delayMs: number }[]): Promise<void> {
      if (sessions.length === 0) return
      const marks = sessions.flatMap(({ session, delayMs }) => [session, Math.ceil(delayMs)])
      await mark.run(redis, [global.ready], marks)
    },

    /** Marks the turn's session as able to start after `delayMs`, and says how to wake it (B2, B4). */
    async rouse(turnId: string, delayMs: number): Promise<Roused> {
      const tenant = tenantOfTurn(turnId)
      const args = [turnId, sessionOfTurn(turnId), Math.ceil(delayMs), tenant, limitsOf(tenant).running]
      const [outcome, rank = ''] = (await rouse.run(redis, keysFor(turnId), args)) as [string, string?]
      if (outcome === 'limited') return { outcome }
      return { outcome: 'go', rank: rank === '' ? baseRank(0) : Number(rank) }
    },

    /** Takes a place among the tenant's running turns (B3). */
    async start(turnId: string, leaseMs: number): Promise<'go' | 'limited'> {
      const tenant = tenantOfTurn(turnId)
      const args = [turnId, sessionOfTurn(turnId), Math.ceil(leaseMs), tenant, limitsOf(tenant).running]
      return (await start.run(redis, keysFor(turnId), args)) as 'go' | 'limited'
    },

    /** Keeps the place of a turn that still runs. */
    async renew(turnId: string, leaseMs: number): Promise<void> {
      await keep.run(redis, [global.tenant(tenantOfTurn(turnId)).running], [turnId, Math.ceil(leaseMs)])
    },

    /** Gives the place back; returns the turns that may be woken now (B3). */
    async stop(turnId: string): Promise<readonly string[]> {
      const tenant = tenantOfTurn(turnId)
      const { running, limited } = global.tenant(tenant)
      const keys = [global.limited, running, limited]
      return (await stop.run(redis, keys, [turnId, tenant, limitsOf(tenant).running])) as string[]
    },

    /** Takes a turn that has ended out of the indexes; it can be listed for `resultTtlMs` more. */
    async close(turnId: string, resultTtlMs: number): Promise<void> {
      await runClose(turnId, resultTtlMs, '')
    },

    /** `close` and `stop` in one, for a turn that ran to its end. */
    async closeAndStop(turnId: string, resultTtlMs: number): Promise<readonly string[]> {
      return runClose(turnId, resultTtlMs, limitsOf(tenantOfTurn(turnId)).running)
    },

    /** Takes a turn out that was admitted and then not accepted. */
    async forget(turnId: string): Promise<void> {
      await runClose(turnId, '', '')
    },

    /** Takes marks away from sessions whose first turn cannot start; looks at the oldest ones (B2). */
    async heal(): Promise<void> {
      const marked = await redis.zrange(global.ready, '0', String(PAGE - 1))
      for (const session of marked as SessionRef[]) {
        const keys = sessionKeys(prefix, session)
        const head = await redis.lindex(keys.inbox, 0)
        if (head === null && (await redis.zcard(keys.delayed)) > 0) continue
        const state = head === null ? null : await redis.hget(keys.turn(head).turn, 'state')
        if (state !== 'queued') await redis.zrem(global.ready, session)
      }
    },

    /** How much waits now. */
    async size(): Promise<BacklogSize> {
      const reply = await size.run(redis, [global.ready, global.limited], [])
      const [ready, oldestMs, limited] = reply as [string, string, string[]]
      const waiting = await Promise.all(limited.map((tenant) => redis.zcard(global.tenant(tenant).limited)))
      return {
        ready: Number(ready),
        limited: waiting.reduce((sum, count) => sum + count, 0),
        oldestMs: Number(oldestMs),
      }
    },
  }

  async function runClose(turnId: string, ttlMs: number | '', limit: number | ''): Promise<string[]> {
    const tenant = tenantOfTurn(turnId)
    const { open, running, limited } = global.tenant(tenant)
    const keys = [global.open, global.ended, global.ready, global.limited, open, running, limited]
    return (await close.run(redis, keys, [turnId, sessionOfTurn(turnId), tenant, ttlMs, limit])) as string[]
  }
}

/** What scripts make a rank of: where turns of a priority begin, and the largest share of the backlog in it. */
export function rankArgs(priority: number): [base: number, longestShare: number] {
  return [baseRank(priority), PRIORITY_STEP - 1]
}

/** Where turns of a priority (0 to 10, higher first) begin among BullMQ's priorities (lower first). */
function baseRank(priority: number): number {
  return (HIGHEST_PRIORITY - priority) * PRIORITY_STEP
}
