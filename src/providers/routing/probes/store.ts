/**
 * Profiles of routes in Redis, with the leases of their probes and what these have cost.
 *
 * S1. At most one process of the fleet probes a route at a time, and whoever has lost the lease writes nothing.
 * S2. What may be spent is taken from the day's budget before a probe is sent, and settled when its usage is known.
 * S3. Every fact ends by itself; what comes out is a remaining time, so clocks of processes do not matter.
 */

import type { RedisConnection } from '../../../redis/connection.ts'
import { globalKeys } from '../../../redis/keys.ts'
import { loadScript } from '../../../redis/scripts.ts'
import { type CellName, type Fact, type RouteProfile, VERDICTS, type Verdict } from './cells.ts'

/** What a probe has found. */
export type Finding = { readonly cell: CellName; readonly verdict: Verdict; readonly code: string }

/** What a process has seen of a cell in its traffic. */
export type Tally = {
  readonly ok: number
  readonly broken: number
  readonly refused: number
  /** Of the latest failure. */
  readonly code: string
}

/** Money that is set aside for one request. */
export type Reservation = { readonly day: string; readonly usd: number }

export type ProfileStore = {
  /** In the order of `routes`. */
  read(routes: readonly string[]): Promise<readonly RouteProfile[]>
  lease(route: string, nonce: string, leaseMs: number): Promise<boolean>
  release(route: string, nonce: string): Promise<void>
  /** Writes a finding and renews the lease; false if the lease was lost. */
  note(route: string, finding: Finding, holding: Holding): Promise<boolean>
  /** Adds traffic; says what follows from it, if anything does. */
  witness(route: string, cell: CellName, tally: Tally): Promise<Verdict | undefined>
  /** Sets `usd` aside; undefined where the budget of the day has no room for it. */
  reserve(usd: number): Promise<Reservation | undefined>
  /** What a reservation really came to. */
  settle(reservation: Reservation, usd: number): Promise<void>
  /** What the probes of the fleet have cost today (UTC). */
  spentUsd(): Promise<number>
}

export type Holding = { readonly nonce: string; readonly leaseMs: number; readonly forMs: number }

export type ProfileStoreOptions = {
  readonly redis: RedisConnection
  readonly prefix: string
  /** How long what traffic has shown holds. */
  readonly ttlMs: number
  readonly budgetUsdPerDay: number
}

/** Traffic is counted in windows of this length. */
export const WITNESS_WINDOW_MS = 600_000
/** Good answers in the window, and none broken, that show a cell safe. */
export const SAFE_FROM = 3
/** Broken answers in the window that show a cell broken, if they are such a share of it. */
const BROKEN_FROM = 2
const BROKEN_SHARE = 0.1
/** It may have been an outage: then a probe decides. */
const BROKEN_FOR_MS = 600_000

/** Billionths: a whole number even for the cheapest token. */
const PER_USD = 1e9

/** The profiles under `prefix`. All their keys share a slot, since one script reads all of them. */
export function createProfileStore(options: ProfileStoreOptions): ProfileStore {
  const { redis, prefix, ttlMs, budgetUsdPerDay } = options
  const scripts = {
    read: loadScript('read', import.meta.url),
    note: loadScript('note', import.meta.url),
    release: loadScript('release', import.meta.url),
    witness: loadScript('witness', import.meta.url),
    budget: loadScript('budget', import.meta.url),
  }
  const base = globalKeys(prefix).probes
  const profileKey = (route: string): string => `${base}:profile:${route}`
  const leaseKey = (route: string): string => `${base}:lease:${route}`
  const budget = async (usd: number, more: { limitUsd?: number; day?: string } = {}) => {
    const { limitUsd, day = '' } = more
    const limit = limitUsd === undefined ? '' : toUnits(limitUsd)
    const reply = await scripts.budget.run(redis, [`${base}:spent`], [toUnits(usd), limit, day])
    const [granted, today, spent] = reply as [number, string, string] // what budget.lua returns
    return { isGranted: Number(granted) === 1, day: String(today), spentUsd: Number(spent) / PER_USD }
  }

  return {
    async read(routes) {
      if (routes.length === 0) return []
      const rows = await scripts.read.run(redis, routes.map(profileKey), [])
      return (rows as string[][]).map(rowToProfile) // what read.lua returns
    },
    async lease(route, nonce, leaseMs) {
      return (await redis.set(leaseKey(route), nonce, 'PX', Math.round(leaseMs), 'NX')) === 'OK'
    },
    async release(route, nonce) {
      await scripts.release.run(redis, [leaseKey(route)], [nonce])
    },
    async note(route, { cell, verdict, code }, { nonce, leaseMs, forMs }) {
      const args = [nonce, Math.round(leaseMs), cell, verdict, code, Math.round(forMs)]
      return Number(await scripts.note.run(redis, [profileKey(route), leaseKey(route)], args)) === 1
    },
    async witness(route, cell, { ok, broken, refused, code }) {
      const rule = [
        ttlMs,
        WITNESS_WINDOW_MS,
        SAFE_FROM,
        BROKEN_FROM,
        BROKEN_SHARE,
        Math.min(ttlMs, BROKEN_FOR_MS),
      ]
      const args = [cell, ok, broken, refused, code, ...rule]
      return toVerdict(await scripts.witness.run(redis, [profileKey(route), `${base}:tally:${route}`], args))
    },
    async reserve(usd) {
      const { isGranted, day } = await budget(usd, { limitUsd: budgetUsdPerDay })
      return isGranted ? { day, usd } : undefined
    },
    async settle({ day, usd: reserved }, usd) {
      await budget(usd - reserved, { day })
    },
    async spentUsd() {
      return (await budget(0)).spentUsd
    },
  }
}

function toUnits(usd: number): number {
  return Math.round(usd * PER_USD)
}

const COLUMNS = 6

function rowToProfile(row: readonly string[]): RouteProfile {
  const facts = new Map<CellName, Fact>()
  for (let i = 0; i + COLUMNS <= row.length; i += COLUMNS) {
    const [cell = '', word, source, at, forMs, code = ''] = row.slice(i, i + COLUMNS)
    const verdict = toVerdict(word)
    if (verdict === undefined) continue
    const from = source === 'traffic' ? source : 'probe'
    facts.set(cell, { verdict, code, source: from, at: Number(at), forMs: Number(forMs) })
  }
  return facts
}

function toVerdict(word: unknown): Verdict | undefined {
  return VERDICTS.find((verdict) => verdict === word)
}
