import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { BreakerPolicy } from '../../../../src/providers/routing/breaker/rules.ts'
import { type HealthState, isUsable } from '../../../../src/providers/routing/breaker/states.ts'
import { type BreakerStore, createBreakerStore } from '../../../../src/providers/routing/breaker/store.ts'
import { closeRedis, connectRedis, type RedisConnection } from '../../../../src/redis/connection.ts'
import type { RedisServer } from '../../../../src/redis/embedded.ts'
import { hasRedisServer, startRedis } from '../../../redis-servers.ts'

const ROUTE = 'p/m'
const WINDOW = { windowMs: 600_000, openMs: 600_000, maxMs: 600_000 }
const POLICY: BreakerPolicy = {
  rules: [
    { name: 'html', reasons: [], over: 3, min: 0, ratio: 0, ...WINDOW },
    { name: 'errors', reasons: [], over: 0, min: 6, ratio: 0.5, warn: 0.2, ...WINDOW },
  ],
  recoverAfterSuccesses: 5,
  recoverAfterMs: 600_000,
  forgetAfterMs: 600_000,
}

/** What the breaker should be, in ten lines of arithmetic. */
type Model = {
  state: HealthState
  generation: number
  html: number
  errors: number
  all: number
  streak: number
  isDue: boolean
  isForcedClosed: boolean
  nonce: string | undefined
  leases: number
}

type Real = {
  redis: RedisConnection
  readonly url: string
  store: BreakerStore
  readonly prefix: string
}

type Step = fc.AsyncCommand<Model, Real>

const forget = (model: Model, generation = model.generation + 1): void =>
  void Object.assign(model, { generation, html: 0, errors: 0, all: 0, streak: 0, nonce: undefined })
const openModel = (model: Model): void => {
  forget(model)
  Object.assign(model, { state: 'open', isDue: false })
}

async function compare(model: Model, { store }: Real): Promise<void> {
  const [record] = await store.read([ROUTE])
  expect({ state: record?.state, generation: record?.generation }).toEqual({
    state: model.state,
    generation: model.generation,
  })
}

class Report implements Step {
  readonly #delta: { successes: number; html: number; others: number; rerouted: boolean; stale: boolean }
  constructor(delta: { successes: number; html: number; others: number; rerouted: boolean; stale: boolean }) {
    this.#delta = delta
  }
  check = (): boolean => true
  toString = (): string => `report ${JSON.stringify(this.#delta)}`
  async run(model: Model, real: Real): Promise<void> {
    const { successes, html, others, rerouted, stale } = this.#delta
    const failures = html + others
    const isHeard = isUsable(model.state) && !stale && !model.isForcedClosed
    await real.store.report(ROUTE, {
      generation: model.generation - (stale ? 1 : 0),
      ...{ successes, failures, rerouted },
      byRule: { html, errors: failures },
    })
    if (isHeard) this.#apply(model, failures)
    await compare(model, real)
  }
  #apply(model: Model, failures: number): void {
    const { successes, html, rerouted } = this.#delta
    model.all += successes + failures
    model.html += html
    model.errors += failures
    const share = failures > 0 && model.all >= 6 ? model.errors / model.all : 0
    if ((html > 0 && model.html > 3) || share >= 0.5) {
      openModel(model)
    } else if (failures > 0 || rerouted) {
      model.streak = 0
      if (rerouted || share >= 0.2) model.state = 'degraded'
    } else if (model.state === 'degraded') {
      model.streak += successes
      if (model.streak >= 5) Object.assign(model, { state: 'closed', streak: 0 })
    }
  }
}

/** Open times and leases run out, without anybody waiting for them. */
class LetTimePass implements Step {
  check = (model: Readonly<Model>): boolean => !isUsable(model.state)
  toString = (): string => 'let time pass'
  async run(model: Model, { redis, prefix }: Real): Promise<void> {
    await redis.hset(`{${prefix}:health}:route:${ROUTE}`, 'until', '1', 'leaseUntil', '1')
    model.isDue = true
  }
}

/** Five processes want to probe at once. */
class Lease implements Step {
  check = (): boolean => true
  toString = (): string => 'five processes ask for the lease'
  async run(model: Model, real: Real): Promise<void> {
    const nonces = Array.from({ length: 5 }, () => `n${++model.leases}`)
    const taken = await Promise.all(nonces.map((nonce) => real.store.lease(ROUTE, nonce, 600_000)))
    const isDue = model.isDue && !isUsable(model.state)
    expect(taken.filter(Boolean)).toHaveLength(isDue ? 1 : 0)
    if (isDue) Object.assign(model, { state: 'half_open', isDue: false, nonce: nonces[taken.indexOf(true)] })
    await compare(model, real)
  }
}

class Settle implements Step {
  readonly #verdict: 'ok' | 'failed' | 'released'
  readonly #isHolder: boolean
  constructor(verdict: 'ok' | 'failed' | 'released', isHolder: boolean) {
    this.#verdict = verdict
    this.#isHolder = isHolder
  }
  check = (): boolean => true
  toString = (): string => `the probe of ${this.#isHolder ? 'the holder' : 'a stranger'}: ${this.#verdict}`
  async run(model: Model, real: Real): Promise<void> {
    const nonce = this.#isHolder ? (model.nonce ?? 'nobody') : 'stranger'
    await real.store.settleProbe(ROUTE, nonce, this.#verdict)
    if (model.state === 'half_open' && nonce === model.nonce) {
      if (this.#verdict === 'failed') openModel(model)
      else if (this.#verdict === 'ok') {
        forget(model)
        model.state = 'degraded'
      } else Object.assign(model, { state: 'open', isDue: true, nonce: undefined })
    }
    await compare(model, real)
  }
}

class Force implements Step {
  readonly #state: 'open' | 'close' | 'reset'
  constructor(state: 'open' | 'close' | 'reset') {
    this.#state = state
  }
  check = (): boolean => true
  toString = (): string => `force ${this.#state}`
  async run(model: Model, real: Real): Promise<void> {
    await real.store.force(ROUTE, { state: this.#state, by: 'test', forMs: 600_000 })
    openModel(model)
    model.isForcedClosed = this.#state === 'close'
    if (this.#state !== 'open') model.state = 'closed'
    await compare(model, real)
  }
}

class Reconnect implements Step {
  check = (): boolean => true
  toString = (): string => 'reconnect'
  async run(model: Model, real: Real): Promise<void> {
    await closeRedis(real.redis)
    real.redis = await connectRedis(real.url)
    real.store = createBreakerStore({ ...real, policy: POLICY })
    await compare(model, real)
  }
}

const few = fc.integer({ min: 0, max: 3 })
const steps = [
  fc
    .record({ successes: few, html: few, others: few, rerouted: fc.boolean(), stale: fc.boolean() })
    .map((delta) => new Report(delta)),
  fc
    .record({ successes: few, html: fc.constant(0), others: fc.constant(0) })
    .map((delta) => new Report({ ...delta, rerouted: false, stale: false })),
  fc.constant(new LetTimePass()),
  fc.constant(new Lease()),
  fc
    .tuple(fc.constantFrom('ok' as const, 'failed' as const, 'released' as const), fc.boolean())
    .map(([verdict, isHolder]) => new Settle(verdict, isHolder)),
  fc.constantFrom('open' as const, 'close' as const, 'reset' as const).map((state) => new Force(state)),
  fc.constant(new Reconnect()),
]

describe.skipIf(!hasRedisServer)('the breaker in Lua against its model (needs redis-server)', () => {
  let server: RedisServer
  beforeAll(async () => {
    server = await startRedis('redis-server')
  })
  afterAll(() => server.close())

  test('one probe a time, generations that only grow, no trip below the minimum, nothing lost by reconnecting', async () => {
    let run = 0
    let highest = 0
    await fc.assert(
      fc.asyncProperty(fc.commands(steps, { size: '+1' }), async (commands) => {
        const redis = await connectRedis(server.url)
        const prefix = `model${++run}`
        const real: Real = {
          ...{ redis, prefix, url: server.url },
          store: createBreakerStore({ redis, prefix, policy: POLICY }),
        }
        const model: Model = {
          ...{ state: 'closed', generation: 0, html: 0, errors: 0, all: 0, streak: 0 },
          ...{ isDue: false, isForcedClosed: false, nonce: undefined, leases: 0 },
        }
        try {
          await fc.asyncModelRun(() => ({ model, real }), commands)
          highest = Math.max(highest, model.generation)
        } finally {
          await closeRedis(real.redis)
        }
      }),
      { numRuns: 150 },
    )
    expect(highest).toBeGreaterThan(3) // the runs went somewhere
  }, 60_000)
})
