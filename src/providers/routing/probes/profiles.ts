/**
 * The profiles of the routes as this process knows them, and what its traffic adds to them.
 *
 * V1. `shownOf` and `saw` are synchronous: a decision waits for no Redis and sends it no command.
 * V2. Profiles are read once a tick; while Redis is away the last ones stand, until their facts end.
 * V3. Broken answers and refusals are told at once; good answers only where a fact is missing, or half over.
 * V4. What is told goes with all that this process has seen in the window, so that few faults among many answers
 *     do not look like a broken route.
 */

import type { RedisConnection } from '../../../redis/connection.ts'
import { type CellName, cellName, type Fact, type RouteProfile, type Shown } from './cells.ts'
import { judgeTraffic, type Traffic } from './judge.ts'
import { type ProfileStore, SAFE_FROM, type Tally, WITNESS_WINDOW_MS } from './store.ts'

export type Profiles = {
  /** The facts that still hold; empty for a route that is not watched. */
  profileOf(route: string): RouteProfile
  shownOf(route: string): Shown
  /** Learns from a real call. */
  saw(route: string, traffic: Traffic): void
  /** Reads all profiles, and tells what is to be told. Never rejects. */
  refresh(): Promise<void>
  /** Tells what is to be told, and stops. */
  close(): Promise<void>
}

export type ProfilesOptions = {
  readonly store: ProfileStore
  readonly redis: Pick<RedisConnection, 'status'>
  /** The routes to watch. */
  readonly routes: readonly string[]
  readonly ttlMs: number
  /** How often Redis is read, in milliseconds. */
  readonly tickMs: number
  /** Monotonic milliseconds. */
  readonly now: () => number
}

type Held = Omit<Fact, 'forMs'> & { readonly until: number }
/** Counted in place: every call is. */
type Counted = { -readonly [Key in keyof Tally]: Tally[Key] } & {
  readonly route: string
  readonly cell: CellName
  readonly since: number
}

/** Reads the profiles once, then keeps them fresh until closed. */
export async function openProfiles(options: ProfilesOptions): Promise<Profiles> {
  const { store, redis, routes, ttlMs, tickMs, now } = options
  const held = new Map<string, ReadonlyMap<CellName, Held>>(routes.map((route) => [route, new Map()]))
  const tallies = new Map<string, Counted>()
  const underWay = new Set<Promise<void>>()
  let timer: NodeJS.Timeout | undefined
  let isClosed = false

  const profileOf = (route: string): RouteProfile => {
    const at = now()
    const facts = [...(held.get(route) ?? [])].filter(([, { until }]) => until > at)
    return new Map(
      facts.map(([cell, { until, ...fact }]) => [cell, { ...fact, forMs: Math.round(until - at) }]),
    )
  }
  const read = async (): Promise<void> => {
    if (redis.status !== 'ready') return
    const profiles = await store.read(routes)
    const at = now()
    profiles.forEach((profile, i) => {
      const facts = [...profile].map(
        ([cell, { forMs, ...fact }]) => [cell, { ...fact, until: at + forMs }] as const,
      )
      held.set(routes[i]!, new Map(facts)) // one profile a route
    })
  }
  const tell = (key: string): void => {
    const counted = tallies.get(key)
    if (counted === undefined || redis.status !== 'ready') return
    tallies.delete(key)
    const { route, cell } = counted
    const telling = store
      .witness(route, cell, counted)
      .then((verdict) => (verdict === undefined ? undefined : read()))
      .catch(() => {}) // one fault that is not counted decides nothing
      .finally(() => underWay.delete(telling))
    underWay.add(telling)
  }
  const isWanted = ({ route, cell, ok, broken, refused }: Counted): boolean => {
    if (broken + refused > 0) return true // Redis was away when it was to be told
    if (ok < SAFE_FROM) return false
    const fact = held.get(route)?.get(cell)
    return fact?.verdict !== 'ok' || fact.until - now() < ttlMs / 2
  }
  const tellWanted = (): void => {
    for (const [key, counted] of tallies) {
      if (now() - counted.since > WITNESS_WINDOW_MS) tallies.delete(key)
      else if (isWanted(counted)) tell(key)
    }
  }
  const refresh = async (): Promise<void> => {
    tellWanted()
    await read().catch(() => {}) // the last view stands; health tells of the loss
  }
  const schedule = (): void => {
    if (isClosed) return
    timer = setTimeout(() => void refresh().finally(schedule), tickMs).unref()
  }
  await refresh()
  schedule()
  return {
    profileOf,
    shownOf: (route) => (cell) => {
      const fact = held.get(route)?.get(cellName(cell))
      return fact !== undefined && fact.until > now() ? fact.verdict : undefined
    },
    saw(route, traffic) {
      const seen = held.has(route) ? judgeTraffic(traffic) : undefined
      if (seen === undefined) return
      const cell = cellName(traffic.cell)
      const key = `${cell} ${route}`
      const before = tallies.get(key)
      const isCurrent = before !== undefined && now() - before.since <= WITNESS_WINDOW_MS
      const counted = isCurrent
        ? before
        : { route, cell, since: now(), ok: 0, broken: 0, refused: 0, code: '' }
      if (!isCurrent) tallies.set(key, counted)
      counted.code = traffic.report.error?.code ?? counted.code
      counted[seen]++
      if (seen !== 'ok') tell(key)
    },
    refresh,
    async close() {
      isClosed = true
      clearTimeout(timer)
      tellWanted()
      await Promise.allSettled([...underWay])
    },
  }
}
