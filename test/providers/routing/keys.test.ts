/** What each key of `routing` and `breakers` changes, from the configuration to what a caller or an operator sees. */

import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { loadConfig } from '../../../src/config/load.ts'
import { openProviderRuntime, type ProviderRuntime } from '../../../src/providers/runtime.ts'
import { createSim, type Sim } from '../../../src/providers/sim/sim.ts'
import { closeRedis, connectRedis, type RedisConnection } from '../../../src/redis/connection.ts'
import type { RedisServer } from '../../../src/redis/embedded.ts'
import { startAnyRedis } from '../../redis-servers.ts'

let sim: Sim
let server: RedisServer
let command: RedisConnection
let subscriber: RedisConnection
let runtime: ProviderRuntime
let count = 0

beforeAll(async () => {
  sim = await createSim()
  server = await startAnyRedis()
  command = await connectRedis(server.url)
  subscriber = await connectRedis(server.url, { role: 'subscriber' })
})
afterAll(async () => {
  await closeRedis(command)
  await closeRedis(subscriber)
  await server.close()
  await sim.close()
})
afterEach(async () => {
  sim.clear()
  await runtime.close()
})

type Sections = { readonly routing?: object; readonly breakers?: object; readonly provider?: object }

async function open({ routing = {}, breakers = {}, provider = {} }: Sections): Promise<void> {
  const config = await loadConfig({
    redis: { prefix: `keys${count++}` },
    providers: {
      sim: {
        protocol: 'openai-chat',
        baseUrl: `${sim.url}/v1`,
        credentials: [{ id: 'main', apiKey: 'key-of-the-keys-test' }],
        timeouts: { headers: '5s', idle: '60ms' },
        ...provider,
      },
    },
    models: { coder: { routes: ['sim/a', 'sim/b'] } },
    routing: { backoff: { base: '1ms', max: '5ms' }, ...routing },
    breakers,
    probes: { enabled: false },
  })
  runtime = await openProviderRuntime(config, { redis: { command, subscriber }, tickMs: 20 })
}

const call = (model: string) =>
  runtime.run({ model, messages: [{ role: 'user', content: 'Say hello.' }] }, () => {})
async function calls(model: string, times: number): Promise<void> {
  for (let i = 0; i < times; i++) await call(model)
}
const routeA = () => runtime.routes().find(({ name }) => name === 'sim/a')
/** Failures are told to Redis with the next tick. */
const told = (): Promise<void> => sleep(150)

describe('routing', () => {
  test.each([
    ['retries', {}, 'sim/a', 2],
    ['retries', { retries: 0 }, 'sim/a', 1],
    ['retries', { retries: 2 }, 'sim/a', 3],
    ['maxAttempts', {}, 'coder', 4],
    ['maxAttempts', { maxAttempts: 3 }, 'coder', 3],
  ])('%s: %j makes a failing call of %s take %i requests', async (_key, routing, model, requests) => {
    await open({ routing })
    sim.control({ model: '*', fault: '500' })
    expect((await call(model)).attempts).toHaveLength(requests)
  })

  test.each([
    [{}, 3],
    [{ retryBudget: 0.5 }, 10],
  ])('retryBudget: %j leaves room for %i retries after 20 answers', async (routing, retries) => {
    await open({ routing, breakers: { errors: { min: 1000 } } })
    await calls('sim/b', 20)
    sim.control({ model: 'b', fault: '500' })
    let retried = 0
    for (let i = 0; i < 15; i++) retried += (await call('sim/b')).attempts.length - 1
    // Answers fade from the count as time goes by.
    expect(retried).toBeGreaterThanOrEqual(retries - 1)
    expect(retried).toBeLessThanOrEqual(retries)
  })

  test.each([
    ['backoff.max', { backoff: { base: '1ms', max: '100ms' } }, 1],
    ['backoff.max', { backoff: { base: '1ms', max: '3s' } }, 2],
  ])('%s: %j decides whether a second of rest is waited for', async (_key, routing, requests) => {
    await open({ routing })
    sim.control({ model: 'a', fault: '429:1', times: 1 })
    expect((await call('sim/a')).attempts).toHaveLength(requests)
  })

  test('backoff.base is the longest wait before the first retry', async () => {
    await open({ routing: { backoff: { base: '1s', max: '1s' } } })
    sim.control({ model: 'a', fault: '500' })
    const waits: number[] = []
    for (let i = 0; i < 3; i++) {
      const before = Date.now()
      await call('sim/a')
      waits.push(Date.now() - before)
    }
    // Full jitter: anything up to the base, and seldom thrice next to nothing (once in a million).
    expect(Math.max(...waits)).toBeGreaterThan(10)
    expect(Math.max(...waits)).toBeLessThan(1900)
  })

  test.each([
    ['cooldown.default', {}, 'nothing', 60_000],
    ['cooldown.default', { cooldown: { default: '7s' } }, 'nothing', 7000],
    ['cooldown.max', {}, '86400', 900_000],
    ['cooldown.max', { cooldown: { max: '90s' } }, '86400', 90_000],
  ])('%s: %j lets a credential rest after a 429 that asks for %s', async (_key, routing, asked, restMs) => {
    await open({ routing })
    sim.control({ model: 'a', fault: `429:${asked}` })
    await call('sim/a')
    const rest = runtime.credentials()[0]?.coolingForMs ?? 0
    expect(rest).toBeGreaterThan(restMs - 5000)
    expect(rest).toBeLessThanOrEqual(restMs)
  })
})

describe('breakers', () => {
  const routing = { retries: 0 }
  /** So that the rule under test alone has a say. */
  const unconcerned = { min: 1000, warn: 1, ratio: 1 }

  test.each([
    ['html.over', 'html', { html: {} }, 3, 'closed'],
    ['html.over', 'html', { html: {} }, 4, 'open'],
    ['html.over', 'html', { html: { over: 1 } }, 2, 'open'],
    ['stall.over', 'stall', { stall: {} }, 2, 'closed'],
    ['stall.over', 'stall', { stall: {} }, 3, 'open'],
    ['stall.over', 'stall', { stall: { over: 0 } }, 1, 'open'],
    ['errors.min', '500', { errors: { min: 5 } }, 4, 'closed'],
    ['errors.min', '500', { errors: { min: 5 } }, 5, 'open'],
  ])('%s: %s under %j leaves the route after %i answers %s', async (_key, fault, given, times, state) => {
    const breakers = { errors: unconcerned, ...given }
    await open({ routing, breakers })
    sim.control({ model: 'a', fault })
    await calls('sim/a', times)
    if (state === 'closed') await told()
    await expect.poll(() => routeA()?.state).toBe(state)
  })

  test.each([
    ['html.minRatio', 'html', { html: { over: 0 } }, 'open'],
    ['html.minRatio', 'html', { html: { over: 0, minRatio: 0.2 } }, 'closed'],
    ['stall.minRatio', 'stall', { stall: { over: 0 } }, 'open'],
    ['stall.minRatio', 'stall', { stall: { over: 0, minRatio: 0.2 } }, 'closed'],
    ['errors.ratio', '500', { errors: { min: 10, ratio: 0.1, warn: 0.1 } }, 'open'],
    ['errors.ratio', '500', { errors: { min: 10, ratio: 0.5, warn: 0.5 } }, 'closed'],
    ['errors.warn', '500', { errors: { min: 10, ratio: 0.5, warn: 0.1 } }, 'degraded'],
  ])('%s: one %s among ten answers under %j leaves the route %s', async (_key, fault, given, state) => {
    await open({ routing, breakers: { errors: unconcerned, ...given } })
    await calls('sim/a', 9)
    await told()
    sim.control({ model: 'a', fault })
    await call('sim/a')
    if (state === 'closed') await told()
    await expect.poll(() => routeA()?.state).toBe(state)
  })

  test.each([
    ['html.window', 'html', { html: { over: 1, window: '300ms' } }],
    ['stall.window', 'stall', { stall: { over: 1, window: '300ms' } }],
    ['errors.window', '500', { errors: { min: 2, ratio: 1, warn: 1, window: '300ms' } }],
  ])('%s: what is older than it counts no more', async (_key, fault, given) => {
    await open({ routing, breakers: { errors: unconcerned, ...given } })
    sim.control({ model: 'a', fault })
    await call('sim/a')
    await sleep(700)
    await call('sim/a')
    await told()
    expect(routeA()?.state).toBe('closed')
  })

  test.each([
    ['html', { html: { over: 0, open: '40s' } }],
    ['stall', { stall: { over: 0, open: '40s' } }],
    ['500', { errors: { min: 1, open: '40s' } }],
  ])(
    'open: the first opening after %s lasts as long as %j says, less some jitter',
    async (fault, breakers) => {
      await open({ routing, breakers })
      sim.control({ model: 'a', fault })
      await call('sim/a')
      await expect.poll(() => routeA()?.state).toBe('open')
      expect(routeA()?.nextProbeInMs).toBeGreaterThan(20_000)
      expect(routeA()?.nextProbeInMs).toBeLessThanOrEqual(40_000)
    },
  )

  test('max: a route that stays sick is asked at least so often', async () => {
    await open({ routing, breakers: { html: { over: 0, open: '100ms', max: '150ms' } } })
    sim.control({ model: 'a', fault: 'html' })
    await call('sim/a')
    await expect.poll(() => sim.log().filter(({ model }) => model === 'a').length).toBeGreaterThan(5)
  })

  test.each([
    [{}, 2, 'closed'],
    [{}, 3, 'open'],
    [{ over: 0 }, 1, 'open'],
  ])('auth.over: %j leaves a credential that was refused %i times %s', async (auth, times, state) => {
    await open({ routing, breakers: { auth } })
    sim.control({ model: 'a', fault: 'status:401' })
    await calls('sim/a', times)
    if (state === 'closed') await told()
    await expect.poll(() => runtime.credentials()[0]?.state).toBe(state)
  })

  test('auth.window: refusals that are older count no more', async () => {
    await open({ routing, breakers: { auth: { over: 1, window: '300ms' } } })
    sim.control({ model: 'a', fault: 'status:401' })
    await call('sim/a')
    await sleep(700)
    await call('sim/a')
    await told()
    expect(runtime.credentials()[0]?.state).toBe('closed')
  })
})
