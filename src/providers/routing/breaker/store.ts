/**
 * Breakers in Redis, changed by scripts alone.
 *
 * B1. A result counts only in the generation in which its attempt began; an opening and a recovery begin a new one.
 * B2. While a route is open or half-open, nothing but its probe moves it.
 * B3. At most one process holds the lease of a route's probe.
 * B4. Whoever has lost the lease changes nothing.
 * B5. Time is that of Redis; what comes out is a remaining time, so clocks of processes do not matter.
 * B6. A change, its entry in the history and its announcement are one script.
 * B7. What somebody has forced stands until its time is over, with who, why and for how long in the history.
 */

import type { RedisConnection } from '../../../redis/connection.ts'
import { globalKeys } from '../../../redis/keys.ts'
import { loadScript } from '../../../redis/scripts.ts'
import type { BreakerPolicy } from './rules.ts'
import { type HealthState, STATES, type Transition, type TransitionReason } from './states.ts'
import { isCredentialSubject, subjectToName } from './subjects.ts'

/** A breaker as it stood when it was read. */
export type BreakerRecord = {
  readonly state: HealthState
  readonly generation: number
  /** Epoch milliseconds of the last change; undefined if there was none. */
  readonly since: number | undefined
  readonly reason: TransitionReason | undefined
  /** Epoch milliseconds since which the route is open or half-open. */
  readonly openedAt: number | undefined
  /** Until the next probe, the end of a probe's lease, or the end of a quiet time; undefined when closed. */
  readonly dueInMs: number | undefined
  /** What somebody has decided it to be for now. */
  readonly forced: 'open' | 'closed' | undefined
  /** Who forced it, and why. */
  readonly note: string | undefined
  /** How long a credential rests yet. */
  readonly coolingForMs: number | undefined
}

/** What happened on a route since the last report. */
export type Delta = {
  readonly generation: number
  readonly successes: number
  readonly failures: number
  /** Failures that each rule counts, by its name. */
  readonly byRule: Readonly<Record<string, number>>
  readonly rerouted: boolean
}

export type ProbeVerdict = 'ok' | 'failed' | 'released'

/** What somebody decides. */
export type Force = {
  /** `reset`: as if nothing had ever happened. */
  readonly state: 'open' | 'close' | 'reset'
  /** Default 1 h; means nothing for `reset`. */
  readonly forMs?: number
  readonly reason?: string
  readonly by: string
}

export type SeenCounts = { readonly attempts: number; readonly failures: number }

export type BreakerStore = {
  /** Channel on which a route's name is published at each change. */
  readonly channel: string
  report(route: string, delta: Delta): Promise<HealthState>
  /** Takes the lease for a probe under `nonce`; false if it is not due or another process was first. */
  lease(route: string, nonce: string, leaseMs: number): Promise<boolean>
  settleProbe(route: string, nonce: string, verdict: ProbeVerdict): Promise<HealthState>
  force(route: string, force: Force): Promise<HealthState>
  /** Lets a credential rest for so long, or longer where it rests already. */
  cool(credential: string, forMs: number): Promise<void>
  /** How many different witnesses were refused at `provider` within the window, this one among them. */
  witness(provider: string, witness: string, windowMs: number): Promise<number>
  /** In the order of `routes`. */
  read(routes: readonly string[]): Promise<readonly BreakerRecord[]>
  /** What the whole fleet has seen within the window of the rule `errors`, in the order of `routes`. */
  counts(routes: readonly string[]): Promise<readonly SeenCounts[]>
  /** The latest moves, oldest first. */
  history(limit: number): Promise<readonly Transition[]>
}

export type BreakerStoreOptions = {
  readonly redis: RedisConnection
  readonly prefix: string
  readonly policy: BreakerPolicy
  /** Of credentials. Default: `policy`. */
  readonly credentialPolicy?: BreakerPolicy
  /** 0 to 1; shortens open times. Default `Math.random`. */
  readonly random?: () => number
}

/** The breakers under `prefix`. All their keys share a slot, since a script changes one and the history together. */
export function createBreakerStore(options: BreakerStoreOptions): BreakerStore {
  const { redis, prefix, policy, credentialPolicy = policy, random = Math.random } = options
  const scripts = {
    report: loadScript('report', import.meta.url),
    probe: loadScript('probe', import.meta.url),
    probed: loadScript('probed', import.meta.url),
    read: loadScript('read', import.meta.url),
    counts: loadScript('counts', import.meta.url),
    force: loadScript('force', import.meta.url),
    cool: loadScript('cool', import.meta.url),
    witness: loadScript('witness', import.meta.url),
  }
  const base = `{${globalKeys(prefix).health}}`
  const channel = `${base}:changes`
  const historyKey = `${base}:history`
  const breakerKey = (route: string): string => `${base}:route:${route}`
  const windowsKey = (route: string): string => `${base}:windows:${route}`
  const keys = (route: string): string[] => [breakerKey(route), windowsKey(route), historyKey]
  // 0.8 to 1.0: shortens, so that an ordinary trip is over before the alert on long openings.
  const jitter = (): string => (0.8 + 0.2 * random()).toFixed(4)
  const routeJson = policyToJson(policy)
  const credentialJson = policyToJson(credentialPolicy)
  const policyOf = (subject: string): string => (isCredentialSubject(subject) ? credentialJson : routeJson)

  return {
    channel,
    async report(route, { generation, successes, failures, byRule, rerouted }) {
      const what = [generation, successes, failures, JSON.stringify(byRule), rerouted ? '1' : '']
      const args = [subjectToName(route), channel, ...what, jitter(), policyOf(route)]
      return toState(await scripts.report.run(redis, keys(route), args))
    },
    async lease(route, nonce, leaseMs) {
      const args = [subjectToName(route), channel, nonce, Math.round(leaseMs)]
      return Number(await scripts.probe.run(redis, keys(route), args)) === 1
    },
    async settleProbe(route, nonce, verdict) {
      const args = [subjectToName(route), channel, nonce, verdict, jitter(), policy.forgetAfterMs]
      return toState(await scripts.probed.run(redis, keys(route), args))
    },
    async force(route, { state, forMs = FORCED_FOR_MS, reason = '', by }) {
      const { openMs, maxMs } = (isCredentialSubject(route) ? credentialPolicy : policy).rules[0] ?? FALLBACK
      const args = [subjectToName(route), channel, state, Math.round(forMs), reason, by, openMs, maxMs]
      return toState(await scripts.force.run(redis, keys(route), args))
    },
    async cool(credential, forMs) {
      const args = [subjectToName(credential), channel, Math.max(1, Math.round(forMs))]
      await scripts.cool.run(redis, [breakerKey(credential)], args)
    },
    async witness(provider, witness, windowMs) {
      return Number(await scripts.witness.run(redis, [`${base}:refused:${provider}`], [witness, windowMs]))
    },
    async read(routes) {
      if (routes.length === 0) return []
      const rows = await scripts.read.run(redis, routes.map(breakerKey), [policy.recoverAfterMs])
      return (rows as string[][]).map(rowToRecord) // what read.lua returns
    },
    async counts(routes) {
      const rule = policy.rules.find(({ name }) => name === 'errors')
      if (routes.length === 0 || rule === undefined) return routes.map(() => ({ attempts: 0, failures: 0 }))
      const rows = await scripts.counts.run(redis, routes.map(windowsKey), [rule.name, rule.windowMs / 10])
      // what counts.lua returns
      return (rows as [number, number][]).map(([failures, attempts]) => ({ failures, attempts }))
    },
    async history(limit) {
      const entries = await redis.xrevrange(historyKey, '+', '-', 'COUNT', limit)
      return entries.map(([id, fields]) => entryToTransition(id, fields)).reverse()
    },
  }
}

const FORCED_FOR_MS = 3_600_000
const FALLBACK = { openMs: 30_000, maxMs: 900_000 } as const

function policyToJson({ rules, ...times }: BreakerPolicy): string {
  return JSON.stringify({ ...times, rules: rules.map(({ reasons: _, ...rule }) => rule) })
}

function rowToRecord([
  state,
  generation,
  since,
  reason,
  openedAt,
  dueInMs,
  forced,
  note,
  coolingForMs,
]: readonly string[]): BreakerRecord {
  return {
    state: toState(state),
    generation: Number(generation),
    since: toNumber(since),
    reason: reason ? (reason as TransitionReason) : undefined, // only our scripts write it
    openedAt: toNumber(openedAt),
    dueInMs: toNumber(dueInMs),
    forced: forced === 'open' || forced === 'closed' ? forced : undefined,
    note: note || undefined,
    coolingForMs: toNumber(coolingForMs),
  }
}

function entryToTransition(id: string, fields: readonly string[]): Transition {
  const at = (name: string): number => fields.findIndex((field, i) => i % 2 === 0 && field === name)
  const value = (name: string): string => (at(name) < 0 ? '' : (fields[at(name) + 1] ?? ''))
  const by = value('by')
  const forMs = value('reason') === 'reset' ? '' : value('forMs')
  return {
    route: value('route'),
    from: toState(value('from')),
    to: toState(value('to')),
    reason: value('reason') as TransitionReason, // only our scripts write it
    at: Number(id.split('-', 1)[0]),
    ...(by !== '' && { audit: { by, reason: value('note'), ...(forMs && { forMs: Number(forMs) }) } }),
  }
}

function toState(value: unknown): HealthState {
  return STATES.find((state) => state === value) ?? 'closed'
}

function toNumber(text: string | undefined): number | undefined {
  return text ? Number(text) : undefined
}
