import { afterAll, beforeAll, expect, test } from 'vitest'
import { type RedisConnection, serversOf } from '../../src/redis/connection.ts'
import type { RedisServer } from '../../src/redis/embedded.ts'
import { startAnyRedis } from '../redis-servers.ts'
import { startLiveWorker } from './live-worker.ts'
import { openQueue } from './open-queue.ts'

let server: RedisServer
beforeAll(async () => {
  server = await startAnyRedis()
})
afterAll(() => server.close())

const keysOf = async (redis: RedisConnection): Promise<string[]> =>
  (await Promise.all(serversOf(redis).map((one) => one.keys('*')))).flat().sort()

test('when turns have ended and their time is over, only their sessions, the audit and fixed keys of BullMQ are left', async () => {
  const settings = { resultTtl: '400ms', eventTtl: '200ms', tenants: { t: { running: 1 } } }
  const worker = await startLiveWorker(server.url, { prefix: 'brief', turnMs: 5, queue: settings })
  const { client, backend, close } = await openQueue(server.url, { prefix: 'brief', queue: settings })
  await backend.fleet.register('w', ['a'], 300)
  const turns = await client.enqueueMany([
    { agent: 'a', input: 'in-x-1', sessionId: 's', tenant: 't', idempotencyKey: 'k' },
    { agent: 'a', input: 'in-x-2', sessionId: 's', tenant: 't' },
    { agent: 'a', input: 'in-x-3', tenant: 't' },
    { agent: 'a', input: 'in-x-4', sessionId: 's2', delayMs: 50 },
  ])
  await Promise.all(turns.map((turn) => turn.result({ timeoutMs: 5_000 })))
  const cancelled = await client.enqueue('a', { input: 'in-x-5', delayMs: 60_000, sessionId: 'c' })
  await cancelled.cancel()
  await worker.close()
  const isHistory = (key: string): boolean => key.endsWith(':history')
  const left = async () =>
    (await keysOf(backend.redis)).filter(
      (key) => !isHistory(key) && !key.startsWith('{brief:bull}:turns:later-'),
    )
  const ofBull = ['delayed', 'events', 'id', 'marker', 'meta', 'stalled-check']
  const fixed = ['brief:audit', ...ofBull.map((key) => `{brief:bull}:turns:${key}`)]
  await expect
    .poll(async () => (await left()).filter((key) => !fixed.includes(key)), { timeout: 5_000 })
    .toEqual([])
  const histories = (await keysOf(backend.redis)).filter(isHistory)
  expect(histories).toHaveLength(3)
  for (const key of histories) expect(await backend.redis.pttl(key)).toBeGreaterThan(29 * 24 * 3_600_000)
  await close()
}, 20_000)
