/**
 * The probes of a runtime: profiles that every process reads, and a round that those who are asked to send probes in.
 *
 * opening ──profiles read──▶ reading ──close──▶ closed
 *                              │  ▲
 *        a route is due, jitter │  │ found, busy, no money
 *                              ▼  │
 *                            probing (one route a time)
 */

import { setTimeout as sleep } from 'node:timers/promises'
import type { Config, ProbesConfig, ProviderConfig, RouteConfig } from '../../../config/config.ts'
import type { RedisConnection } from '../../../redis/connection.ts'
import type { Telemetry } from '../../../telemetry/telemetry.ts'
import type { RouteCapabilities } from '../../capabilities/capability.ts'
import { type Cell, cellName, PROBED_CELLS, type RouteProfile, VERDICTS } from './cells.ts'
import {
  createProber,
  type ProbeRun,
  type ProbeRunOptions,
  type Prober,
  type ProberOptions,
} from './prober.ts'
import { openProfiles, type Profiles } from './profiles.ts'
import { createProfileStore } from './store.ts'

/** How routes can be asked, as this process knows it. */
export type ProbeDesk = {
  /** The facts that hold; empty for a route that stands in no alias. */
  profileOf(route: string): RouteProfile
  /** Probes a route now, whatever `probes.enabled` says. Rejects when Redis cannot be reached. */
  probe(route: RouteConfig, options?: ProbeRunOptions): Promise<ProbeRun>
  /** The cells that probes of a route fill. */
  cellsOf(route: RouteConfig): readonly Cell[]
  /** What the probes of the fleet have cost today (UTC), in US dollars. */
  spentUsd(): Promise<number>
}

export type Probes = ProbeDesk & Pick<Profiles, 'shownOf' | 'saw' | 'refresh' | 'close'>

/** How a runtime takes part in probing. */
export type ProbingOptions = {
  /** Whether this process sends probes by itself, if the configuration has them enabled. Default false. */
  readonly send?: boolean
  /** How often profiles are read and routes are looked at, in milliseconds. Default 5,000. */
  readonly tickMs?: number
  /** The first look comes after a random part of this. Default 15,000. */
  readonly startWithinMs?: number
}

export type OpenProbesOptions = ProbingOptions &
  Pick<ProberOptions, 'upstreamOf' | 'tokenOf' | 'priceOf' | 'telemetry' | 'onReport'> & {
    readonly redis: RedisConnection
    readonly routes: readonly RouteConfig[]
    readonly capabilitiesOf: (route: RouteConfig) => RouteCapabilities
    /** Routes that are down are not probed for how they can be asked. */
    readonly isUsable: (route: string) => boolean
  }

const TICK_MS = 5_000
const START_WITHIN_MS = 15_000
const BUSY_MS = 30_000
const NO_MONEY_MS = 600_000

/** Reads the profiles; with `send`, keeps them filled until closed. */
export async function openProbes(config: Config, options: OpenProbesOptions): Promise<Probes> {
  const { redis, routes, telemetry, capabilitiesOf, send = false, tickMs = TICK_MS } = options
  const { ttlMs, budgetUsdPerDay, enabled }: ProbesConfig = config.probes
  const store = createProfileStore({ redis, prefix: config.redis.prefix, ttlMs, budgetUsdPerDay })
  const cellsOf = (route: RouteConfig): readonly Cell[] =>
    possibleCells(config.providers[route.provider], capabilitiesOf(route))
  const prober = createProber({ ...options, store, ttlMs, cellsOf })
  const profiles = await openProfiles({
    store,
    redis,
    routes: routes.map(({ name }) => name),
    ttlMs,
    tickMs,
    now: () => performance.now(),
  })
  zeroCounts(telemetry, routes, cellsOf)
  const leaving = new AbortController()
  const round =
    send && enabled ? sendProbes({ ...options, tickMs, prober, profiles, signal: leaving.signal }) : undefined
  return {
    ...profiles,
    cellsOf,
    spentUsd: () => store.spentUsd(),
    async probe(route, { refresh, signal } = {}) {
      const signals = signal ? [leaving.signal, signal] : [leaving.signal]
      const run = await prober.probe(route, { ...(refresh && { refresh }), signal: AbortSignal.any(signals) })
      await profiles.refresh()
      return run
    },
    async close() {
      leaving.abort()
      await round
      await profiles.close()
    },
  }
}

type SendingOptions = OpenProbesOptions & {
  readonly tickMs: number
  readonly prober: Prober
  readonly profiles: Profiles
  readonly signal: AbortSignal
}

/** Looks at the routes in turn until `signal` ends it; never rejects. */
async function sendProbes(options: SendingOptions): Promise<void> {
  const {
    routes,
    redis,
    prober,
    profiles,
    isUsable,
    tickMs,
    startWithinMs = START_WITHIN_MS,
    signal,
  } = options
  const notBefore = new Map<string, number>()
  await slept(startWithinMs * Math.random(), signal)
  while (!signal.aborted) {
    const due = routes.filter(
      (route) =>
        redis.status === 'ready' &&
        isUsable(route.name) &&
        performance.now() >= (notBefore.get(route.name) ?? 0) &&
        prober.isDue(route, profiles.profileOf(route.name)),
    )
    // Workers that start together begin with different routes.
    const route = due[Math.floor(Math.random() * due.length)]
    if (route !== undefined) {
      const restMs = await probeOne(options, route)
      const which = restMs === NO_MONEY_MS ? routes : [route]
      for (const { name } of which) if (restMs > 0) notBefore.set(name, performance.now() + restMs)
    }
    await slept(due.length > 1 ? 0 : tickMs * (0.5 + Math.random()), signal)
  }
}

/** Probes a route; says how long it should be left alone then. */
async function probeOne(
  { prober, profiles, telemetry, signal }: SendingOptions,
  route: RouteConfig,
): Promise<number> {
  try {
    const { sent, costUsd, stopped } = await prober.probe(route, { signal })
    await profiles.refresh()
    if (sent > 0) {
      const found = profileWords(profiles.profileOf(route.name))
      telemetry.log.info({ route: route.name, sent, cost_usd: costUsd, ...found }, 'route probed')
    }
    if (stopped === 'budget')
      telemetry.log.warn({ route: route.name }, 'the budget of probes is spent for today')
    return stopped === 'budget' ? NO_MONEY_MS : stopped === 'busy' ? BUSY_MS : 0
  } catch {
    return BUSY_MS // Redis is away, which health tells
  }
}

function profileWords(profile: RouteProfile): { readonly broken?: string[]; readonly refused?: string[] } {
  const withVerdict = (wanted: string): string[] =>
    [...profile].filter(([, { verdict }]) => verdict === wanted).map(([cell]) => cell)
  const [broken, refused] = [withVerdict('broken'), withVerdict('refused')]
  return { ...(broken.length > 0 && { broken }), ...(refused.length > 0 && { refused }) }
}

/** A local process is slow to start and answers one way only; what a format cannot carry is not asked for. */
function possibleCells(provider: ProviderConfig | undefined, can: RouteCapabilities): readonly Cell[] {
  if (provider === undefined || provider.protocol === 'llamacpp-cli') return []
  return PROBED_CELLS.filter(
    ({ tools, format }) =>
      !(tools && can.tools.can === false) && !(format === 'json' && can.json_mode.can === false),
  )
}

function zeroCounts(
  telemetry: Telemetry,
  routes: readonly RouteConfig[],
  cellsOf: (route: RouteConfig) => readonly Cell[],
): void {
  for (const route of routes) {
    telemetry.count('route_probe_cost_usd_total', { route: route.name }, 0)
    for (const cell of cellsOf(route)) {
      for (const verdict of VERDICTS)
        telemetry.count('route_probes_total', { route: route.name, cell: cellName(cell), verdict }, 0)
    }
  }
}

async function slept(ms: number, signal: AbortSignal): Promise<void> {
  await sleep(ms, undefined, { signal, ref: false }).catch(() => {})
}
