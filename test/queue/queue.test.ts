import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { closeRedis, connectRedis } from '../../src/redis/connection.ts'
import type { RedisServer } from '../../src/redis/embedded.ts'
import { watchMemory } from '../../src/redis/memory.ts'
import { clusterKinds, startRedis } from '../redis-servers.ts'
import { type LiveWorker, startLiveWorker } from './live-worker.ts'
import { type OpenQueue, openQueue } from './open-queue.ts'

describe.each(clusterKinds)('whole turns on %s', (kind) => {
  let server: RedisServer
  let worker: LiveWorker
  let queue: OpenQueue

  beforeAll(async () => {
    server = await startRedis(kind)
    worker = await startLiveWorker(server.url, { prefix: 'whole', turnMs: 5, concurrency: 4 })
    queue = await openQueue(server.url, { prefix: 'whole' })
  }, 30_000)
  afterAll(async () => {
    await queue?.close()
    await worker?.close()
    await server?.close()
  })

  test('a turn is enqueued, run, followed and read', async () => {
    const turn = await queue.client.enqueue('a', { input: 'in-one-1', tenant: 'acme', sessionId: 's1' })
    const types: string[] = []
    for await (const event of turn) types.push(event.type)
    expect(types[0]).toBe('turn.queued')
    expect(types.at(-1)).toBe('turn.completed')
    expect(await turn.result()).toMatchObject({ status: 'completed', text: 'done' })
    expect((await queue.client.turns()).turns.map(({ id }) => id)).toContain(turn.id)
  })

  test('many turns of many sessions and tenants complete, in order within their sessions', async () => {
    const turns = await queue.client.enqueueMany(
      Array.from({ length: 60 }, (_, i) => ({
        agent: 'a',
        input: `in-many-${i}`,
        sessionId: `m${i % 12}`,
        tenant: `t${i % 3}`,
      })),
    )
    const results = await Promise.all(turns.map((turn) => turn.result({ timeoutMs: 20_000 })))
    expect(new Set(results.map(({ status }) => status))).toEqual(new Set(['completed']))
    const order = worker.begun
      .filter((input) => input.startsWith('in-many'))
      .map((input) => Number(input.slice(8)))
    for (let session = 0; session < 12; session++) {
      const own = order.filter((i) => i % 12 === session)
      expect(own).toEqual([...own].sort((a, b) => a - b))
    }
  }, 30_000)

  test('a delayed turn runs when it is due, and a queued one can be cancelled', async () => {
    const late = await queue.client.enqueue('a', { input: 'in-late-1', delayMs: 300, sessionId: 'late' })
    const never = await queue.client.enqueue('a', { input: 'in-never-1', delayMs: 60_000 })
    await never.cancel('not needed')
    expect((await never.result()).status).toBe('cancelled')
    expect((await late.result({ timeoutMs: 20_000 })).status).toBe('completed')
    const { startedAt = 0, acceptedAt } = await late.read()
    expect(startedAt - acceptedAt).toBeGreaterThanOrEqual(300)
  }, 30_000)

  test('the memory of every server is looked at', async () => {
    const redis = await connectRedis(server.url)
    expect(await watchMemory(redis).fullness()).toBe(0)
    await closeRedis(redis)
  })
})
