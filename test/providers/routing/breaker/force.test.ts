import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { DEFAULTS } from '../../../../src/config/defaults.ts'
import { loadConfig } from '../../../../src/config/load.ts'
import { forceBreaker } from '../../../../src/providers/routing/breaker/control.ts'
import { openHealth } from '../../../../src/providers/routing/breaker/health.ts'
import {
  credentialPolicyFromConfig,
  policyFromConfig,
} from '../../../../src/providers/routing/breaker/rules.ts'
import {
  type BreakerStore,
  createBreakerStore,
  type Delta,
} from '../../../../src/providers/routing/breaker/store.ts'
import { closeRedis, connectRedis, type RedisConnection } from '../../../../src/redis/connection.ts'
import type { RedisServer } from '../../../../src/redis/embedded.ts'
import { serverKinds, startRedis } from '../../../redis-servers.ts'

const POLICY = policyFromConfig(DEFAULTS.breakers)
const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

describe.each(serverKinds)('breakers of routes and credentials on %s', (kind) => {
  let server: RedisServer
  let redis: RedisConnection
  let store: BreakerStore
  let prefix = ''
  let count = 0

  beforeAll(async () => {
    server = await startRedis(kind)
    redis = await connectRedis(server.url)
  })
  afterAll(async () => {
    await closeRedis(redis)
    await server.close()
  })
  beforeEach(() => {
    prefix = `force${++count}`
    const credentialPolicy = credentialPolicyFromConfig(DEFAULTS.breakers)
    store = createBreakerStore({ redis, prefix, policy: POLICY, credentialPolicy, random: () => 1 })
  })
  const read = async (name = 'p/m') => (await store.read([name]))[0]!
  const errors = (failures: number, successes = 0): Delta => ({
    ...{ generation: 0, successes, failures, rerouted: false },
    byRule: { errors: failures },
  })
  const by = 'ada@desk'

  test('a share of errors degrades at the warning and opens at the ratio, with enough attempts', async () => {
    expect(await store.report('p/m', errors(10, 9))).toBe('closed') // 19 attempts are too few
    expect(await store.report('p/m', errors(1, 80))).toBe('degraded') // 11 of 100
    expect(await store.report('p/m', errors(60))).toBe('degraded') // 71 of 160
    expect((await store.history(9)).map(({ to, reason }) => [to, reason])).toEqual([['degraded', 'errors']])
  })

  test('a share of errors at the ratio opens', async () => {
    expect(await store.report('p/m', errors(10, 10))).toBe('open')
    expect(await read()).toMatchObject({ reason: 'errors', dueInMs: expect.closeTo(30_000, -3) })
  })

  test('a route that is kept open is not probed before its time, then a probe decides (B7)', async () => {
    expect(await store.force('p/m', { state: 'open', forMs: 300, reason: 'bad answers', by })).toBe('open')
    expect(await read()).toMatchObject({
      forced: 'open',
      note: 'ada@desk: bad answers',
      reason: 'forced_open',
    })
    expect(await store.lease('p/m', 'n', 1000)).toBe(false)
    await sleep(350)
    expect(await store.lease('p/m', 'n', 1000)).toBe(true)
    expect(await read()).toMatchObject({ state: 'half_open', forced: undefined })
    expect(await store.settleProbe('p/m', 'n', 'ok')).toBe('degraded')
  })

  test('a route that is kept closed bears whatever happens, until its time is over (B7)', async () => {
    await store.report('p/m', errors(20))
    expect(await store.force('p/m', { state: 'close', forMs: 300, reason: 'drill', by })).toBe('closed')
    const { generation } = await read()
    expect(await store.report('p/m', { ...errors(50), generation })).toBe('closed')
    expect(await read()).toMatchObject({ forced: 'closed', openedAt: undefined })
    await sleep(350)
    expect((await read()).forced).toBeUndefined()
    expect(await store.report('p/m', { ...errors(20), generation })).toBe('open')
  })

  test('a reset forgets everything; what began before it counts nowhere', async () => {
    await store.report('p/m', errors(20))
    expect(await store.force('p/m', { state: 'reset', by })).toBe('closed')
    expect(await read()).toMatchObject({ state: 'closed', dueInMs: undefined, openedAt: undefined })
    expect(await store.report('p/m', errors(20))).toBe('closed')
  })

  test('every decision stands in the history with its author, reason and length', async () => {
    await store.force('p/m', { state: 'open', forMs: 60_000, reason: 'bad answers', by })
    await store.force('p/m', { state: 'reset', reason: 'mended', by })
    expect(
      (await store.history(9)).map(({ route, to, reason, audit }) => [route, to, reason, audit]),
    ).toEqual([
      ['p/m', 'open', 'forced_open', { by, reason: 'bad answers', forMs: 60_000 }],
      ['p/m', 'closed', 'reset', { by, reason: 'mended' }],
    ])
  })

  test('only a configured route can be forced', async () => {
    const config = await loadConfig({
      redis: { url: server.url, prefix },
      providers: { p: { protocol: 'openai-chat', baseUrl: 'http://127.0.0.1:1/v1' } },
      models: { coder: { routes: ['p/m'] } },
    })
    const force = { state: 'open', by } as const
    expect(await forceBreaker(config, { redis, route: 'p/m', force })).toBe('open')
    await expect(forceBreaker(config, { redis, route: 'p/n', force })).rejects.toThrow('expected one of p/m')
  })

  test('a credential rests for the longest that anybody has asked for', async () => {
    await store.cool('p#a@1', 5000)
    await store.cool('p#a@1', 1000)
    expect((await read('p#a@1')).coolingForMs).toBeGreaterThan(4000)
    expect((await read('p#b@1')).coolingForMs).toBeUndefined()
  })

  /** The health of a process that watches two credentials of `p`. */
  const watch = async (probe: () => Promise<'ok' | 'failed' | 'refused'>, openMs = 100) => {
    const subscriber = await connectRedis(server.url, { role: 'subscriber' })
    const [rule] = credentialPolicyFromConfig(DEFAULTS.breakers).rules
    const health = await openHealth({
      ...{ redis, subscriber, prefix, policy: POLICY, routes: ['p/m'], tickMs: 40 },
      credentials: {
        subjects: ['p#a@1', 'p#b@1'],
        policy: { ...POLICY, rules: [{ ...rule!, openMs, maxMs: 2 * openMs }] },
        probe,
      },
    })
    const refuse = async (credential: string): Promise<void> => {
      health.refused({ ...{ provider: 'p', credential, route: 'p/m', generation: 0 }, reason: 'invalid_key' })
      await sleep(20)
    }
    const close = async (): Promise<void> => {
      await health.close()
      await closeRedis(subscriber)
    }
    return { health, refuse, close }
  }

  test('a credential that is refused alone opens at the third time, and its route stays as it is (H7)', async () => {
    const { health, refuse, close } = await watch(async () => 'failed', 60_000)
    for (let i = 0; i < 2; i++) await refuse('p#a@1')
    expect(health.view('p#a@1').state).toBe('closed')
    await refuse('p#a@1')
    await expect.poll(() => health.view('p#a@1').state).toBe('open')
    expect(health.view('p/m').state).toBe('closed')
    expect((await health.history('p#a')).map(({ to, reason }) => [to, reason])).toEqual([['open', 'auth']])
    await close()
  })

  test('an opened credential comes back when the model list answers it', async () => {
    const answers = ['failed', 'ok'] as const
    let asked = 0
    const { health, refuse, close } = await watch(async () => answers[asked++] ?? 'ok')
    for (let i = 0; i < 3; i++) await refuse('p#a@1')
    await expect.poll(() => health.view('p#a@1').state, { timeout: 3000 }).toBe('degraded')
    expect(asked).toBe(2)
    await close()
  })

  test('two credentials that are refused are an outage of the route, and both are acquitted (H7)', async () => {
    const { health, refuse, close } = await watch(async () => 'failed', 60_000)
    for (let i = 0; i < 3; i++) await refuse('p#a@1')
    await expect.poll(() => health.view('p#a@1').state).toBe('open')
    for (let i = 0; i < 3; i++) await refuse('p#b@1')
    await expect.poll(() => health.view('p/m').state).toBe('open')
    expect(health.view('p/m').reason).toBe('auth')
    await expect.poll(() => health.view('p#a@1').state).toBe('closed')
    expect(health.view('p#b@1').state).toBe('closed')
    await close()
  })

  test('a model list that refuses as well is an outage of the routes (H7)', async () => {
    const { health, refuse, close } = await watch(async () => 'refused', 50)
    for (let i = 0; i < 3; i++) await refuse('p#a@1')
    await expect.poll(() => health.view('p/m').state, { timeout: 5000 }).toBe('open')
    await close()
  })
})
