/**
 * What this process believes of its routes and credentials, kept in step with Redis in the background.
 *
 * opening ──first read──▶ in step ◀──Redis away, Redis back──▶ last view ──close──▶ closed
 *
 * H1. `view`, `report` and `rerouted` are synchronous: a decision waits for no Redis and sends it no command.
 * H2. A failure is told to Redis at once; successes are told once a tick, those of a degraded route at once as well.
 * H3. A change anywhere is seen within a tick, and usually at once: the channel is a hint, the poll is the promise.
 * H4. While Redis is away the last view stands, and what it has not been told is kept for a minute.
 * H5. A report whose fate is unknown is not sent again: a failure counted twice could open a good route.
 * H6. A probe is sent by the holder of its lease alone, traffic or not.
 * H7. A credential that is refused alone is at fault itself; two that are refused within the window, or one and the
 *     model list, are an outage of the provider's routes, and speak for each other (D12).
 */

import { randomBytes } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Reason } from '../../../errors.ts'
import type { RedisConnection } from '../../../redis/connection.ts'
import { noTelemetry } from '../../../telemetry/none.ts'
import type { Telemetry } from '../../../telemetry/telemetry.ts'
import { createLink, type Link } from './link.ts'
import { createMirror, type Mirror, type OnChange, type RouteHealth } from './mirror.ts'
import { createPending, emptyDelta, type Pending, type Result } from './pending.ts'
import { type BreakerPolicy, verdictOn } from './rules.ts'
import { type HealthState, isUsable, type Transition } from './states.ts'
import {
  type BreakerStore,
  createBreakerStore,
  type Delta,
  type Force,
  type ProbeVerdict,
  type SeenCounts,
} from './store.ts'
import { isCredentialSubject } from './subjects.ts'

/**
 * Sends a probe and says how it went; aborted when its time is over or the process is leaving. `refused`: the model
 * list of a credential's provider has answered 401.
 */
export type Probe = (
  subject: string,
  signal: AbortSignal,
) => Promise<Exclude<ProbeVerdict, 'released'> | 'refused'>

export type HealthOptions = {
  readonly redis: RedisConnection
  /** Hints of changes; may be shared, and is left open. */
  readonly subscriber: RedisConnection
  readonly prefix: string
  /** The routes to watch. */
  readonly routes: readonly string[]
  readonly policy: BreakerPolicy
  /** Credentials to watch as well. */
  readonly credentials?: WatchedCredentials
  /** Without it this process sends no probes. */
  readonly probe?: Probe
  readonly telemetry?: Telemetry
  /** Default 800 ms. */
  readonly tickMs?: number
  /** How long a probe may take. Default 30 s; its lease lasts 5 s longer. */
  readonly probeTimeoutMs?: number
  /** Monotonic milliseconds. Default `performance.now`. */
  readonly now?: () => number
  /** 0 to 1; shortens open times. Default `Math.random`. */
  readonly random?: () => number
}

/** The credentials of all providers, by the names of their breakers. */
export type WatchedCredentials = {
  readonly subjects: readonly string[]
  readonly policy: BreakerPolicy
  /** Asks for a model list with the credential. */
  readonly probe?: Probe
}

/** An upstream has refused a credential. */
export type Refusal = {
  readonly provider: string
  readonly credential: string
  readonly route: string
  /** Of the route, when the attempt began. */
  readonly generation: number
  readonly reason: Reason
}

const HISTORY_LENGTH = 1000
const LEASE_MARGIN_MS = 5000
const SETTLED_MS = 1000
const NEWS_FOR_MS = 60_000

/** Reads all breakers once, then keeps them in step until closed. Rejects for nothing that Redis does. */
export async function openHealth(options: HealthOptions): Promise<Health> {
  const health = new Health(options)
  await health.open()
  return health
}

/** The health of a set of routes. Made by `openHealth`. */
export class Health implements AsyncDisposable {
  readonly #options: HealthOptions
  readonly #store: BreakerStore
  readonly #link: Link
  readonly #mirror: Mirror
  readonly #pending: Pending
  readonly #probing = new Set<string>()
  readonly #underWay = new Set<Promise<void>>()
  readonly #telling = new Set<Promise<void>>()
  readonly #listeners = new Set<OnChange>()
  readonly #leaving = new AbortController()
  #timer: NodeJS.Timeout | undefined

  constructor(options: HealthOptions) {
    const { redis, routes, policy, credentials, telemetry = noTelemetry } = options
    const { now = () => performance.now() } = options
    this.#options = options
    const credentialPolicy = credentials?.policy ?? policy
    this.#store = createBreakerStore({ ...options, credentialPolicy })
    this.#link = createLink({ redis, telemetry, now })
    this.#mirror = createMirror({
      store: this.#store,
      link: this.#link,
      routes: [...routes, ...(credentials?.subjects ?? [])],
      telemetry,
      now,
      onChange: (change) => {
        for (const listener of this.#listeners) listener(change)
      },
    })
    this.#pending = createPending((subject) =>
      isCredentialSubject(subject) ? credentialPolicy.rules : policy.rules,
    )
  }

  /** The first read, and the subscription to changes. */
  async open(): Promise<void> {
    const { subscriber } = this.#options
    subscriber.on('message', this.#onMessage)
    this.#track(subscriber.subscribe(this.#store.channel).then(ignore))
    await this.#mirror.refresh()
    this.#schedule()
  }

  /** Of a route that is not watched: closed. */
  view(route: string): RouteHealth {
    return this.#mirror.view(route)
  }

  /** Counts an attempt that began in `generation`; `failure` is absent when it went well. */
  report(route: string, generation: number, failure?: Reason): void {
    if (failure === undefined) this.#count(route, generation, { type: 'success' })
    else if (verdictOn(failure) === 'failed')
      this.#count(route, generation, { type: 'failure', reason: failure })
  }

  /** Counts a refused credential (H7). */
  refused(refusal: Refusal): void {
    this.#track(this.#weighRefusal(refusal))
  }

  /** Lets a credential rest, here at once, and in the whole fleet. */
  cool(credential: string, forMs: number): void {
    this.#mirror.cool(credential, forMs)
    if (this.#options.redis.status === 'ready') this.#track(this.#store.cool(credential, forMs))
  }

  /** Keeps a route open or closed for a time, or resets it. Rejects when Redis cannot be reached. */
  async force(route: string, force: Force): Promise<HealthState> {
    const state = await this.#store.force(route, force)
    await this.#mirror.refresh()
    return state
  }

  /** Calls `listener` when this process sees a breaker change; returns its removal. */
  onChange(listener: OnChange): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /** A call has left the route for another one, since the route failed it. */
  rerouted(route: string, generation: number): void {
    this.#count(route, generation, { type: 'reroute' })
  }

  /** Resolves when Redis has answered to all that was told so far, after a second at the latest. */
  async settled(): Promise<void> {
    if (this.#telling.size === 0) return
    const limit = new AbortController()
    const late = sleep(SETTLED_MS, undefined, { signal: limit.signal }).catch(ignore)
    await Promise.race([Promise.all([...this.#telling]), late])
    limit.abort()
  }

  /** What the whole fleet has seen on its routes lately, in their order; nothing while Redis is away. */
  async counts(): Promise<readonly SeenCounts[]> {
    return this.#store.counts(this.#options.routes).catch(() => [])
  }

  /** The latest moves of `route`, or of all, oldest first. */
  async history(route?: string): Promise<readonly Transition[]> {
    const all = await this.#store.history(HISTORY_LENGTH)
    return route === undefined ? all : all.filter((move) => move.route === route)
  }

  /** Tells what is pending, gives probes back, stops. The connections stay open. */
  async close(): Promise<void> {
    const { subscriber } = this.#options
    if (this.#leaving.signal.aborted) return
    this.#leaving.abort()
    clearTimeout(this.#timer)
    subscriber.off('message', this.#onMessage)
    if (subscriber.status === 'ready') await subscriber.unsubscribe(this.#store.channel).catch(ignore)
    for (const route of this.#pending.routes()) this.#flush(route)
    await Promise.allSettled([...this.#underWay])
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  #count(route: string, generation: number, result: Result): void {
    if (!this.#mirror.has(route)) return
    this.#pending.add(route, generation, result)
    if (result.type !== 'success' || this.#mirror.view(route).state === 'degraded') this.#flush(route)
  }

  async #weighRefusal({ provider, credential, route, generation, reason }: Refusal): Promise<void> {
    const own = this.#mirror.view(credential).generation
    const isShared = this.#options.redis.status === 'ready'
    const witnesses = isShared ? await this.#witness(provider, credential) : 1
    if (witnesses < 2) return this.#count(credential, own, { type: 'failure', reason })
    this.#count(route, generation, { type: 'failure', reason })
    await this.#acquit(provider)
  }

  #witness(provider: string, witness: string): Promise<number> {
    return this.#store.witness(provider, witness, this.#options.credentials?.policy.rules[0]?.windowMs ?? 0)
  }

  /** It was an outage: the credentials that were opened for it are not dead. */
  async #acquit(provider: string): Promise<void> {
    const opened = (this.#options.credentials?.subjects ?? []).filter((subject) => {
      const { state, reason } = this.#mirror.view(subject)
      return subject.startsWith(`${provider}#`) && state === 'open' && reason === 'auth'
    })
    for (const subject of opened) {
      await this.force(subject, {
        state: 'reset',
        by: 'turnkeeper',
        reason: 'several were refused: an outage',
      })
    }
  }

  /** The model list refuses the credential that opened: the routes of its provider are told. */
  async #blameRoutes(credential: string): Promise<void> {
    const provider = credential.split('#', 1)[0] ?? ''
    if ((await this.#witness(provider, 'model list')) < 2) return
    for (const route of this.#options.routes.filter((name) => name.startsWith(`${provider}/`))) {
      const { generation } = this.#mirror.view(route)
      this.#count(route, generation, { type: 'failure', reason: 'invalid_key' })
    }
  }

  #flush(route: string): void {
    if (this.#options.redis.status !== 'ready') return // it stays pending (H4)
    const delta = this.#pending.take(route)
    if (delta === undefined) return
    const telling = this.#send(route, delta)
      .catch(ignore)
      .finally(() => this.#telling.delete(telling))
    this.#telling.add(telling)
    this.#track(telling)
  }

  async #send(route: string, delta: Delta): Promise<void> {
    const state = await this.#store.report(route, delta)
    if (state !== this.#mirror.view(route).state) await this.#mirror.refresh()
  }

  #schedule(): void {
    if (this.#leaving.signal.aborted) return
    this.#timer = setTimeout(
      () => void this.#tick().finally(() => this.#schedule()),
      this.#options.tickMs ?? 800,
    )
    this.#timer.unref()
  }

  async #tick(): Promise<void> {
    if (this.#link.awayMs() > NEWS_FOR_MS) this.#pending.clear()
    for (const route of this.#pending.routes()) this.#flush(route)
    await this.#mirror.refresh()
    if (this.#leaving.signal.aborted || !this.#link.isUp()) return
    for (const route of this.#mirror.due()) this.#attendTo(route)
  }

  #attendTo(route: string): void {
    const { state, generation } = this.#mirror.view(route)
    if (isUsable(state)) {
      this.#track(this.#send(route, emptyDelta(generation)))
    } else if (!this.#probing.has(route)) {
      this.#probing.add(route)
      this.#track(this.#sendProbe(route).finally(() => this.#probing.delete(route)))
    }
  }

  async #sendProbe(route: string): Promise<void> {
    const { credentials, probeTimeoutMs = 30_000 } = this.#options
    const probe = isCredentialSubject(route) ? credentials?.probe : this.#options.probe
    const nonce = randomBytes(9).toString('base64url')
    if (!probe || !(await this.#store.lease(route, nonce, probeTimeoutMs + LEASE_MARGIN_MS))) return
    const leaving = this.#leaving.signal
    const signal = AbortSignal.any([AbortSignal.timeout(probeTimeoutMs), leaving])
    const found = await probe(route, signal).catch(() => 'failed' as const)
    if (found === 'refused') await this.#blameRoutes(route)
    const verdict = found === 'refused' ? 'failed' : found
    await this.#store.settleProbe(route, nonce, leaving.aborted && verdict !== 'ok' ? 'released' : verdict)
    await this.#mirror.refresh()
  }

  readonly #onMessage = (channel: string): void => {
    if (channel === this.#store.channel) this.#track(this.#mirror.refresh())
  }

  #track(work: Promise<void>): void {
    const tracked = work.catch(ignore).finally(() => this.#underWay.delete(tracked))
    this.#underWay.add(tracked)
  }
}

function ignore(): void {}
