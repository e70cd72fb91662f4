import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { BreakerPolicy } from '../../../src/providers/routing/breaker/rules.ts'
import {
  type BreakerStore,
  createBreakerStore,
  type Delta,
} from '../../../src/providers/routing/breaker/store.ts'
import { closeRedis, connectRedis, type RedisConnection } from '../../../src/redis/connection.ts'
import type { RedisServer } from '../../../src/redis/embedded.ts'
import { serverKinds, startRedis } from '../../redis-servers.ts'

const POLICY: BreakerPolicy = {
  rules: [
    { name: 'html', reasons: [], over: 3, min: 0, ratio: 0.01, windowMs: 60_000, openMs: 1000, maxMs: 3000 },
    { name: 'stall', reasons: [], over: 2, min: 0, ratio: 0.5, windowMs: 60_000, openMs: 1000, maxMs: 3000 },
  ],
  recoverAfterSuccesses: 5,
  recoverAfterMs: 60_000,
  forgetAfterMs: 60_000,
}

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

describe.each(serverKinds)('breakers on %s', (kind) => {
  let server: RedisServer
  let redis: RedisConnection
  let store: BreakerStore
  let prefix: string
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
    prefix = `test${++count}`
    store = open()
  })

  const open = (policy: Partial<BreakerPolicy> = {}): BreakerStore =>
    createBreakerStore({ redis, prefix, policy: { ...POLICY, ...policy }, random: () => 1 })
  const withRule = (rule: object): BreakerStore => open({ rules: [{ ...POLICY.rules[0]!, ...rule }] })
  const delta = (more: Partial<Delta> = {}): Delta => ({
    generation: 0,
    successes: 0,
    failures: 0,
    byRule: {},
    rerouted: false,
    ...more,
  })
  const html = (failures = 1, more: Partial<Delta> = {}): Delta =>
    delta({ failures, byRule: { html: failures }, ...more })
  const read = async (route = 'p/m') => (await store.read([route]))[0]!
  const moves = async (): Promise<string[]> => {
    const history = await store.history(100)
    return history.map(({ from, to, reason }) => `${from} > ${to} (${reason})`)
  }
  const openNow = async (openMs: number): Promise<void> => {
    store = withRule({ over: 0, openMs })
    expect(await store.report('p/m', html())).toBe('open')
  }

  test('a route without a record is closed', async () => {
    expect(await read()).toEqual({
      state: 'closed',
      generation: 0,
      since: undefined,
      reason: undefined,
      openedAt: undefined,
      dueInMs: undefined,
    })
  })

  test('the third failure of a rule that bears three leaves a route closed, the fourth opens it', async () => {
    for (let i = 0; i < 3; i++) expect(await store.report('p/m', html())).toBe('closed')
    expect(await store.report('p/m', html())).toBe('open')
    const record = await read()
    expect(record).toMatchObject({ state: 'open', reason: 'html', generation: 1 })
    expect(record.dueInMs).toBeGreaterThan(500)
    expect(record.dueInMs).toBeLessThanOrEqual(1000)
    expect(record.openedAt).toBe(record.since)
  })

  test('routes and rules are counted apart', async () => {
    await store.report('p/m', html(3))
    await store.report('p/other', html(3))
    expect(await store.report('p/m', delta({ failures: 2, byRule: { stall: 2 } }))).toBe('closed')
    expect(await store.report('p/m', delta({ failures: 1, byRule: { stall: 1 } }))).toBe('open')
    expect((await read('p/other')).state).toBe('closed')
  })

  test('failures below the share of attempts open nothing', async () => {
    await store.report('p/m', delta({ successes: 1000 }))
    expect(await store.report('p/m', html(9))).toBe('closed')
    expect(await store.report('p/m', html(2))).toBe('open')
  })

  test('failures that have left the window count no more', async () => {
    store = withRule({ windowMs: 200 })
    await store.report('p/m', html(3))
    await sleep(300)
    expect(await store.report('p/m', html(3))).toBe('closed')
    expect(await store.report('p/m', html(1))).toBe('open')
  })

  test('a rule of shares needs its least number of attempts', async () => {
    store = withRule({ over: 0, min: 10, ratio: 0.5 })
    expect(await store.report('p/m', html(9))).toBe('closed')
    expect(await store.report('p/m', html(1))).toBe('open')
  })

  test('results from before the last opening count nowhere (B1)', async () => {
    await openNow(1)
    await sleep(5)
    expect(await store.lease('p/m', 'n', 1000)).toBe(true)
    expect(await store.settleProbe('p/m', 'n', 'ok')).toBe('degraded')
    expect(await store.report('p/m', html(10, { generation: 0 }))).toBe('degraded')
    expect(await store.report('p/m', html(10, { generation: 1 }))).toBe('degraded')
    expect(await store.report('p/m', html(1, { generation: 2 }))).toBe('open')
  })

  test('traffic moves an open route no more (B2)', async () => {
    await openNow(60_000)
    const { generation } = await read()
    expect(await store.report('p/m', html(10, { generation }))).toBe('open')
    expect(await store.report('p/m', delta({ successes: 10, generation }))).toBe('open')
    expect(await moves()).toEqual(['closed > open (html)'])
  })

  test('a probe is leased only when the open time is over, and once (B3)', async () => {
    await openNow(150)
    expect(await store.lease('p/m', 'early', 1000)).toBe(false)
    await sleep(200)
    const leases = await Promise.all(['a', 'b', 'c'].map((nonce) => store.lease('p/m', nonce, 1000)))
    expect(leases.filter(Boolean)).toHaveLength(1)
    expect(await read()).toMatchObject({ state: 'half_open', reason: 'probe_due' })
  })

  test('a lease that ran out goes to another process, and the first one is not heard (B4)', async () => {
    await openNow(1)
    await sleep(5)
    expect(await store.lease('p/m', 'dead', 50)).toBe(true)
    await sleep(100)
    expect(await store.lease('p/m', 'alive', 1000)).toBe(true)
    expect(await store.settleProbe('p/m', 'dead', 'failed')).toBe('half_open')
    expect(await store.settleProbe('p/m', 'alive', 'ok')).toBe('degraded')
    expect(await store.settleProbe('p/m', 'alive', 'failed')).toBe('degraded')
  })

  test('each failed probe doubles the open time up to its limit', async () => {
    store = withRule({ over: 0, openMs: 100, maxMs: 300 })
    await store.report('p/m', html())
    const times: number[] = []
    for (const nonce of ['1', '2', '3']) {
      await sleep((await read()).dueInMs! + 5)
      expect(await store.lease('p/m', nonce, 1000)).toBe(true)
      expect(await store.settleProbe('p/m', nonce, 'failed')).toBe('open')
      times.push((await read()).dueInMs!)
    }
    expect(times[0]).toBeGreaterThan(130)
    expect(times[0]).toBeLessThanOrEqual(200)
    expect(times[2]).toBeGreaterThan(230)
    expect(times[2]).toBeLessThanOrEqual(300)
  })

  test('a route keeps the time of its first opening until it is usable again', async () => {
    await openNow(1)
    const { openedAt } = await read()
    await sleep(5)
    await store.lease('p/m', 'n', 1000)
    await store.settleProbe('p/m', 'n', 'failed')
    expect((await read()).openedAt).toBe(openedAt)
    await sleep(10)
    await store.lease('p/m', 'm', 1000)
    await store.settleProbe('p/m', 'm', 'ok')
    expect((await read()).openedAt).toBeUndefined()
  })

  test('a probe that is given back can be taken at once by another process', async () => {
    await openNow(1)
    await sleep(5)
    await store.lease('p/m', 'leaving', 60_000)
    expect(await store.settleProbe('p/m', 'leaving', 'released')).toBe('open')
    expect(await store.lease('p/m', 'staying', 1000)).toBe(true)
  })

  test('a reroute degrades a closed route, and five successes in a row close it', async () => {
    expect(await store.report('p/m', delta({ rerouted: true }))).toBe('degraded')
    expect(await store.report('p/m', delta({ successes: 4 }))).toBe('degraded')
    expect(await store.report('p/m', delta({ failures: 1 }))).toBe('degraded')
    expect(await store.report('p/m', delta({ successes: 4 }))).toBe('degraded')
    expect(await store.report('p/m', delta({ successes: 1 }))).toBe('closed')
    expect(await moves()).toEqual(['closed > degraded (reroute)', 'degraded > closed (recovered)'])
  })

  test('a reroute does not forget the failures that led to it', async () => {
    await store.report('p/m', html(3))
    await store.report('p/m', delta({ rerouted: true }))
    expect(await store.report('p/m', html(1))).toBe('open')
  })

  test('a degraded route closes after a quiet time', async () => {
    store = open({ recoverAfterMs: 50 })
    await store.report('p/m', delta({ rerouted: true }))
    expect((await read()).dueInMs).toBeLessThanOrEqual(50)
    await sleep(80)
    expect(await store.report('p/m', delta())).toBe('closed')
  })

  test('a route that has long been back opens as if for the first time', async () => {
    store = open({
      forgetAfterMs: 500,
      rules: [{ ...POLICY.rules[0]!, over: 0, openMs: 200, maxMs: 10_000 }],
    })
    for (const wait of [600, 0]) {
      await store.report('p/m', html(1, { generation: (await read()).generation }))
      await sleep((await read()).dueInMs! + 5)
      await store.lease('p/m', 'n', 1000)
      await store.settleProbe('p/m', 'n', 'ok')
      await sleep(wait)
    }
    await store.report('p/m', html(1, { generation: (await read()).generation }))
    // Opened anew after the long time (200 ms), then once more soon after: the third time is the second of its row.
    expect((await read()).dueInMs).toBeGreaterThan(200)
    expect((await read()).dueInMs).toBeLessThanOrEqual(400)
  })

  test('every move stands in the history with its time and is announced (B6)', async () => {
    const listener = await connectRedis(server.url, { role: 'subscriber' })
    const heard: string[] = []
    listener.on('message', (_channel, route: string) => heard.push(route))
    await listener.subscribe(store.channel)
    await openNow(1)
    await sleep(20)
    await store.lease('p/m', 'n', 1000)
    await store.settleProbe('p/m', 'n', 'ok')
    expect(await moves()).toEqual([
      'closed > open (html)',
      'open > half_open (probe_due)',
      'half_open > degraded (probe_ok)',
    ])
    const [first] = await store.history(100)
    expect(Math.abs(first!.at - Date.now())).toBeLessThan(60_000)
    await expect.poll(() => heard).toEqual(['p/m', 'p/m', 'p/m'])
    await closeRedis(listener)
  })
})
