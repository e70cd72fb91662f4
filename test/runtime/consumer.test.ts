import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, afterEach, beforeAll, expect, test, vi } from 'vitest'
import { loadConfig } from '../../src/config/load.ts'
import { openClient, type TurnClient } from '../../src/queue/client.ts'
import type { RedisServer } from '../../src/redis/embedded.ts'
import { defineAgent } from '../../src/runtime/agent.ts'
import { type Consumer, openConsumer } from '../../src/runtime/consumer.ts'
import { startWorker, type Worker } from '../../src/runtime/worker.ts'
import { noTelemetry } from '../../src/telemetry/none.ts'
import { startAnyRedis } from '../redis-servers.ts'
import { scriptedModel } from './scripted-worker.ts'
import { type SilentProxy, startSilentProxy } from './tcp-proxy.ts'

const CHECK_MS = 2_000
let server: RedisServer
let proxy: SilentProxy
let client: TurnClient | undefined
let worker: Worker | undefined

beforeAll(async () => {
  server = await startAnyRedis()
})
afterAll(() => server.close())
afterEach(async () => {
  await client?.close()
  await proxy?.close()
  client = undefined
})

async function startBehindProxy(prefix: string): Promise<{ health: () => Promise<Response> }> {
  proxy = await startSilentProxy(server.url)
  const sections = { metrics: { port: 0 }, telemetry: { logLevel: 'error' } }
  const redis = { prefix, durability: 'none' }
  worker = await startWorker(await loadConfig({ redis: { ...redis, url: proxy.url }, ...sections }), {
    agents: [defineAgent({ name: 'a', model: 'm' })],
    callModel: scriptedModel({ text: 'one' }, { text: 'two' }).call,
    checkMs: CHECK_MS,
  })
  client = await openClient(await loadConfig({ redis: { ...redis, url: server.url }, ...sections }))
  const metricsUrl = worker.metricsUrl ?? ''
  return { health: () => fetch(metricsUrl.replace(/metrics$/, 'health')) }
}

test('a worker whose fetching connection has gone silent is noticed, fails its health, and mends itself', async () => {
  const { health } = await startBehindProxy('deaf')
  const first = await client?.enqueue('a', { input: 'x' })
  expect(await first?.result({ timeoutMs: 10_000 })).toMatchObject({ text: 'one' })
  expect((await health()).status).toBe(200)

  proxy.silence()
  const turn = await client?.enqueue('a', { input: 'x' })
  await vi.waitFor(async () => expect((await health()).status).toBe(503), { timeout: 40_000, interval: 200 })
  expect(await (await health()).json()).toMatchObject({ status: 'deaf' })
  expect(await (await fetch(worker?.metricsUrl ?? '')).text()).toMatch(/^worker_deaf(\{.*\})? 1$/m)

  proxy.mend()
  expect(await turn?.result({ timeoutMs: 30_000 })).toMatchObject({ text: 'two' })
  await vi.waitFor(async () => expect((await health()).status).toBe(200), { timeout: 10_000, interval: 200 })
  await worker?.close()
}, 90_000)

const log = noTelemetry.log
async function watched(more: Partial<Parameters<typeof openConsumer>[0]>) {
  const signs: (() => void)[] = []
  const lost = vi.fn()
  const closed = vi.fn()
  const consumer: Consumer = await openConsumer({
    open: async (onSign) => {
      signs.push(onSign)
      return { close: async () => closed() }
    },
    isFull: () => false,
    answers: async () => true,
    log,
    onLost: lost,
    checkMs: 10,
    ...more,
  })
  return { consumer, signs, lost, closed }
}

test('a consumer that stays deaf after two restarts is given up', async () => {
  const { consumer, signs, lost, closed } = await watched({})
  await vi.waitFor(() => expect(lost).toHaveBeenCalledTimes(1))
  expect(lost.mock.calls[0]?.[0]).toMatchObject({ code: 'queue/deaf' })
  expect(signs).toHaveLength(3)
  expect(closed).toHaveBeenCalledTimes(2)
  await consumer.close(100)
})

test.each([
  ['all places are taken', { isFull: () => true }],
  ['Redis itself is away', { answers: async () => false }],
])('silence while %s is no deafness', async (_why, more) => {
  const { consumer, signs } = await watched(more)
  await sleep(150)
  expect(consumer.isDeaf()).toBe(false)
  expect(signs).toHaveLength(1)
  await consumer.close(100)
})

test('a consumer that hears again after a restart is not held against it later', async () => {
  const { consumer, signs, lost } = await watched({})
  await vi.waitFor(() => expect(signs).toHaveLength(2))
  const hearing = setInterval(() => signs.at(-1)?.(), 5)
  await vi.waitFor(() => expect(consumer.isDeaf()).toBe(false))
  await sleep(100)
  clearInterval(hearing)
  expect(signs).toHaveLength(2)
  await vi.waitFor(() => expect(lost).toHaveBeenCalled())
  expect(signs).toHaveLength(4)
  await consumer.close(100)
})

test('closing waits for a consumer that hangs only as long as it is told to', async () => {
  const { consumer } = await watched({ open: async () => ({ close: () => new Promise(() => {}) }) })
  const started = performance.now()
  await consumer.close(50)
  expect(performance.now() - started).toBeLessThan(2_000)
})
