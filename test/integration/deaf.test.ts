import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { loadConfig } from '../../src/config/load.ts'
import { openClient, type TurnClient } from '../../src/queue/client/client.ts'
import type { RedisServer } from '../../src/redis/embedded.ts'
import { defineAgent } from '../../src/runtime/agent.ts'
import { startWorker, type Worker } from '../../src/runtime/worker/worker.ts'
import { startAnyRedis } from '../redis-servers.ts'
import { scriptedModel } from '../runtime/scripted-worker.ts'
import { type SilentProxy, startSilentProxy } from './silent-proxy.ts'

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
  await expect.poll(async () => (await health()).status, { timeout: 40_000, interval: 200 }).toBe(503)
  expect(await (await health()).json()).toMatchObject({ status: 'deaf' })
  expect(await (await fetch(worker?.metricsUrl ?? '')).text()).toMatch(/^worker_deaf(\{.*\})? 1$/m)

  proxy.mend()
  expect(await turn?.result({ timeoutMs: 30_000 })).toMatchObject({ text: 'two' })
  await expect.poll(async () => (await health()).status, { timeout: 10_000, interval: 200 }).toBe(200)
  await worker?.close()
}, 90_000)

test('a worker that cannot mend itself says so to whoever runs it, and still closes', async () => {
  await startBehindProxy('lost')
  const running = worker?.run()
  proxy.silence()
  await expect(running).rejects.toMatchObject({ code: 'queue/deaf' })
  const closing = performance.now()
  await worker?.close()
  expect(performance.now() - closing).toBeLessThan(28_000)
}, 120_000)
