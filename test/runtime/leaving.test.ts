import { afterAll, beforeAll, expect, test } from 'vitest'
import { loadConfig } from '../../src/config/load.ts'
import { openClient } from '../../src/queue/client/client.ts'
import type { RedisServer } from '../../src/redis/embedded.ts'
import { defineAgent } from '../../src/runtime/agent.ts'
import { startWorker, type Worker } from '../../src/runtime/worker/worker.ts'
import { startAnyRedis } from '../redis-servers.ts'
import { scriptedModel } from './scripted-worker.ts'

const LOCK_MS = 2_000
let server: RedisServer

beforeAll(async () => {
  server = await startAnyRedis()
})
afterAll(() => server.close())

test('the last step of a worker that leaves is not taken over, however long it takes within its grace (K2)', async () => {
  const config = await loadConfig({
    redis: { url: server.url, durability: 'none' },
    queue: { lock: `${LOCK_MS}ms`, stalledCheck: '200ms' },
    metrics: { port: 0 },
    telemetry: { logLevel: 'error' },
  })
  const begun: string[] = []
  const called = Promise.withResolvers<void>()
  const start = (name: string): Promise<Worker> =>
    startWorker(config, {
      agents: [defineAgent({ name: 'a', model: 'm' })],
      callModel: async (request, emit, options) => {
        begun.push(name)
        called.resolve()
        await new Promise((resolve) => setTimeout(resolve, 2 * LOCK_MS))
        return scriptedModel({ text: `said by ${name}` }).call(request, emit, options)
      },
    })
  await using client = await openClient(config)
  const first = await start('first')
  const turn = await client.enqueue('a', { input: 'x' })
  await called.promise
  await using _second = await start('second')
  await new Promise((resolve) => setTimeout(resolve, LOCK_MS / 2)) // it has seen the first one beat
  await first.close()
  expect(await turn.result({ timeoutMs: 20_000 })).toMatchObject({ text: 'said by first' })
  expect(begun).toEqual(['first'])
  expect(await turn.read()).toMatchObject({ epoch: 1 })
}, 30_000)
