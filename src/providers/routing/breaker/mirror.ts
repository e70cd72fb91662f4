import type { Telemetry } from '../../../telemetry/telemetry.ts'
import type { Link } from './link.ts'
import { type HealthState, isUsable, type TransitionReason } from './states.ts'
import type { BreakerRecord, BreakerStore } from './store.ts'

/** A route as this process sees it. */
export type RouteHealth = {
  readonly state: HealthState
  /** Goes with the results of attempts begun now. */
  readonly generation: number
  /** Epoch milliseconds of the last change; undefined if there was none. */
  readonly since: number | undefined
  readonly reason: TransitionReason | undefined
  /** Epoch milliseconds since which the route is open or half-open. */
  readonly openedAt: number | undefined
  /** Until the next probe may be sent; undefined unless open or half-open. */
  readonly nextProbeInMs: number | undefined
}

/** The breakers of Redis in memory. */
export type Mirror = {
  has(route: string): boolean
  /** Of a route that is not watched: closed. */
  view(route: string): RouteHealth
  /** The routes on which something has come due: a probe, or the end of a quiet time. */
  due(): readonly string[]
  /** Reads all breakers; one read at a time, a call during it causes another. Never rejects. */
  refresh(): Promise<void>
}

export type MirrorOptions = {
  readonly store: BreakerStore
  readonly link: Link
  readonly routes: readonly string[]
  readonly telemetry: Telemetry
  /** Monotonic milliseconds. */
  readonly now: () => number
}

type Seen = Omit<BreakerRecord, 'dueInMs'> & { readonly dueAt: number | undefined }

const UNKNOWN: Seen = {
  state: 'closed',
  generation: 0,
  since: undefined,
  reason: undefined,
  openedAt: undefined,
  dueAt: undefined,
}

/** A mirror in which everything is closed until the first `refresh`. */
export function createMirror({ store, link, routes, telemetry, now }: MirrorOptions): Mirror {
  const seen = new Map<string, Seen>(routes.map((route) => [route, UNKNOWN]))
  let reading: Promise<void> | undefined
  let readAgain = false

  const read = async (): Promise<void> => {
    const records = await store.read(routes)
    const at = now()
    records.forEach((record, i) => {
      const route = routes[i]! // one record a route
      const before = seen.get(route)!
      seen.set(route, toSeen(record, at))
      if (before.state !== record.state) announce(telemetry, { route, from: before.state, record })
    })
  }
  const readUntilQuiet = async (): Promise<void> => {
    while (readAgain) {
      readAgain = false
      await link.attempt(read)
    }
    reading = undefined
  }
  return {
    has: (route) => seen.has(route),
    view: (route) => toHealth(seen.get(route) ?? UNKNOWN, now()),
    due: () => routes.filter((route) => (seen.get(route)?.dueAt ?? Number.POSITIVE_INFINITY) <= now()),
    refresh() {
      readAgain = true
      reading ??= readUntilQuiet()
      return reading
    },
  }
}

function toSeen({ dueInMs, ...record }: BreakerRecord, at: number): Seen {
  return { ...record, dueAt: dueInMs === undefined ? undefined : at + dueInMs }
}

function toHealth({ dueAt, ...record }: Seen, now: number): RouteHealth {
  const isWaiting = !isUsable(record.state) && dueAt !== undefined
  return { ...record, nextProbeInMs: isWaiting ? Math.max(0, dueAt - now) : undefined }
}

type Change = { readonly route: string; readonly from: HealthState; readonly record: BreakerRecord }

function announce(telemetry: Telemetry, { route, from, record }: Change): void {
  const { state: to, reason = 'recovered', generation, dueInMs } = record
  telemetry.count('route_health_transitions_total', { route, from, to, reason })
  const fields = { route, from, to, reason, generation }
  if (to === 'open') telemetry.log.warn({ ...fields, next_probe_in_ms: dueInMs }, 'route opened')
  else telemetry.log.info(fields, 'route changed state')
}
