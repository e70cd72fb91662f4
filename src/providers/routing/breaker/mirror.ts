import type { Telemetry } from '../../../telemetry/telemetry.ts'
import type { Link } from './link.ts'
import { type HealthState, isUsable, type TransitionReason } from './states.ts'
import type { BreakerRecord, BreakerStore } from './store.ts'
import { isCredentialSubject, subjectToName } from './subjects.ts'

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
  /** What somebody has decided it to be for now, and who, and why. */
  readonly forced?: 'open' | 'closed' | undefined
  readonly note?: string | undefined
  /** How long a credential rests yet; undefined if it does not. */
  readonly coolingForMs?: number | undefined
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
  /** Lets a credential rest at once, before Redis knows. */
  cool(route: string, forMs: number): void
}

/** Called when this process sees a breaker change. */
export type OnChange = (change: {
  readonly route: string
  readonly from: HealthState
  readonly to: HealthState
}) => void

export type MirrorOptions = {
  readonly store: BreakerStore
  readonly link: Link
  readonly routes: readonly string[]
  readonly telemetry: Telemetry
  /** Monotonic milliseconds. */
  readonly now: () => number
  readonly onChange?: OnChange
}

type Seen = Omit<BreakerRecord, 'dueInMs' | 'coolingForMs'> & {
  readonly dueAt: number | undefined
  readonly coolUntil: number | undefined
  /** What is to be seen while nothing of it depends on the time: no call pays for a copy then. */
  readonly still: RouteHealth | undefined
}

const UNKNOWN: Seen = {
  state: 'closed',
  generation: 0,
  since: undefined,
  reason: undefined,
  openedAt: undefined,
  dueAt: undefined,
  forced: undefined,
  note: undefined,
  coolUntil: undefined,
  still: undefined,
}

/** A mirror in which everything is closed until the first `refresh`. */
export function createMirror(options: MirrorOptions): Mirror {
  const { store, link, routes, telemetry, now, onChange = () => {} } = options
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
      if (before.state === record.state) return
      announce(telemetry, { route, from: before.state, record })
      onChange({ route, from: before.state, to: record.state })
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
    view(route) {
      const held = seen.get(route) ?? UNKNOWN
      return held.still ?? toHealth(held, now())
    },
    due: () => routes.filter((route) => (seen.get(route)?.dueAt ?? Number.POSITIVE_INFINITY) <= now()),
    refresh() {
      readAgain = true
      reading ??= readUntilQuiet()
      return reading
    },
    cool(route, forMs) {
      const held = seen.get(route)
      if (held === undefined) return
      seen.set(route, { ...held, still: undefined, coolUntil: Math.max(held.coolUntil ?? 0, now() + forMs) })
    },
  }
}

function toSeen({ dueInMs, coolingForMs, ...record }: BreakerRecord, at: number): Seen {
  const later = (ms: number | undefined): number | undefined => (ms === undefined ? undefined : at + ms)
  const held = { ...record, dueAt: later(dueInMs), coolUntil: later(coolingForMs), still: undefined }
  const isStill = held.dueAt === undefined && held.coolUntil === undefined
  return isStill ? { ...held, still: toHealth(held, at) } : held
}

function toHealth({ dueAt, coolUntil, still: _still, ...record }: Seen, now: number): RouteHealth {
  const isWaiting = !isUsable(record.state) && dueAt !== undefined
  return {
    ...record,
    nextProbeInMs: isWaiting ? Math.max(0, dueAt - now) : undefined,
    coolingForMs: coolUntil !== undefined && coolUntil > now ? coolUntil - now : undefined,
  }
}

type Change = { readonly route: string; readonly from: HealthState; readonly record: BreakerRecord }

function announce(telemetry: Telemetry, { route, from, record }: Change): void {
  const { state: to, reason = 'recovered', generation, dueInMs, note } = record
  const fields = { from, to, reason, generation, ...(note && { note }) }
  if (isCredentialSubject(route)) {
    const credential = subjectToName(route)
    telemetry.count('credential_health_transitions_total', { credential, from, to, reason })
    if (to === 'open') telemetry.log.warn({ credential, ...fields }, 'credential opened')
    else telemetry.log.info({ credential, ...fields }, 'credential changed state')
    return
  }
  telemetry.count('route_health_transitions_total', { route, from, to, reason })
  if (to === 'open') telemetry.log.warn({ route, ...fields, next_probe_in_ms: dueInMs }, 'route opened')
  else telemetry.log.info({ route, ...fields }, 'route changed state')
}
