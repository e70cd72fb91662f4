/**
 * What this process believes of its routes, kept in step with Redis in the background.
 *
 * opening ──first read──▶ in step ◀──Redis away, Redis back──▶ last view ──close──▶ closed
 *
 * H1. `view`, `report` and `rerouted` are synchronous: a decision waits for no Redis and sends it no command.
 * H2. A failure is told to Redis at once; successes are told once a tick.
 * H3. A change anywhere is seen within a tick, and usually at once: the channel is a hint, the poll is the promise.
 * H4. While Redis is away the last view stands, and what it has not been told is kept for a minute.
 * H5. A report whose fate is unknown is not sent again: a failure counted twice could open a good route.
 * H6. A probe is sent by the holder of its lease alone, traffic or not.
 */

import { randomBytes } from 'node:crypto'
import type { Reason } from '../../../errors.ts'
import type { RedisConnection } from '../../../redis/connection.ts'
import { noTelemetry } from '../../../telemetry/none.ts'
import type { Telemetry } from '../../../telemetry/telemetry.ts'
import { createLink, type Link } from './link.ts'
import { createMirror, type Mirror, type RouteHealth } from './mirror.ts'
import { createPending, emptyDelta, type Pending, type Result } from './pending.ts'
import { type BreakerPolicy, verdictOn } from './rules.ts'
import { isUsable, type Transition } from './states.ts'
import { type BreakerStore, createBreakerStore, type Delta, type ProbeVerdict } from './store.ts'

/** Sends a probe and says how it went; aborted when its time is over or the process is leaving. */
export type Probe = (route: string, signal: AbortSignal) => Promise<Exclude<ProbeVerdict, 'released'>>

export type HealthOptions = {
  readonly redis: RedisConnection
  /** Hints of changes; may be shared, and is left open. */
  readonly subscriber: RedisConnection
  readonly prefix: string
  /** The routes to watch. */
  readonly routes: readonly string[]
  readonly policy: BreakerPolicy
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

const HISTORY_LENGTH = 1000
const LEASE_MARGIN_MS = 5000
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
  readonly #leaving = new AbortController()
  #timer: NodeJS.Timeout | undefined

  constructor(options: HealthOptions) {
    const { redis, routes, policy, telemetry = noTelemetry, now = () => performance.now() } = options
    this.#options = options
    this.#store = createBreakerStore(options)
    this.#link = createLink({ redis, telemetry, now })
    this.#mirror = createMirror({ store: this.#store, link: this.#link, routes, telemetry, now })
    this.#pending = createPending(policy.rules)
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

  /** A call has left the route for another one, since the route failed it. */
  rerouted(route: string, generation: number): void {
    this.#count(route, generation, { type: 'reroute' })
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
    if (result.type !== 'success') this.#flush(route)
  }

  #flush(route: string): void {
    if (this.#options.redis.status !== 'ready') return // it stays pending (H4)
    const delta = this.#pending.take(route)
    if (delta !== undefined) this.#track(this.#send(route, delta))
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
    const { probe, probeTimeoutMs = 30_000 } = this.#options
    const nonce = randomBytes(9).toString('base64url')
    if (!probe || !(await this.#store.lease(route, nonce, probeTimeoutMs + LEASE_MARGIN_MS))) return
    const leaving = this.#leaving.signal
    const signal = AbortSignal.any([AbortSignal.timeout(probeTimeoutMs), leaving])
    const verdict = await probe(route, signal).catch(() => 'failed' as const)
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
