import { afterAll, beforeAll, expect, test } from 'vitest'
import { loadConfig } from '../../src/config/load.ts'
import { openClient, type TurnClient } from '../../src/queue/client/client.ts'
import { createFleet } from '../../src/queue/fleet.ts'
import { closeRedis, connectRedis, type RedisConnection } from '../../src/redis/connection.ts'
import type { RedisServer } from '../../src/redis/embedded.ts'
import { startAnyRedis } from '../redis-servers.ts'

let server: RedisServer
let redis: RedisConnection
let client: TurnClient

beforeAll(async () => {
  server = await startAnyRedis()
  redis = await connectRedis(server.url)
  client = await openClient(await loadConfig({ redis: { url: server.url, durability: 'none' } }))
})
afterAll(async () => {
  await client.close()
  await closeRedis(redis)
  await server.close()
})

test('turns of a session stand in the order of the calls, also on a Redis that knows no script yet', async () => {
  await redis.script('FLUSH')
  const calls = Array.from({ length: 20 }, (_, i) =>
    client.enqueue('a', { input: `${i}`, sessionId: 'ordered' }),
  )
  const turns = await Promise.all(calls)
  const positions = await Promise.all(turns.map(async (turn) => (await turn.read()).position))
  expect(positions).toEqual(turns.map((_, i) => i))
})

test('a refused call holds up none after it', async () => {
  const session = { sessionId: 'refusing', idempotencyKey: 'k' }
  const calls = [
    client.enqueue('a', { input: 'one', ...session }),
    client.enqueue('a', { input: 'other', ...session }),
    client.enqueue('a', { input: 'two', sessionId: 'refusing' }),
  ]
  const ended = await Promise.allSettled(calls)
  expect(ended.map((end) => end.status)).toEqual(['fulfilled', 'rejected', 'fulfilled'])
  expect(ended[1]).toMatchObject({ reason: { code: 'queue/idempotency_conflict' } })
})

test('the same key gives the same turn, and without a session the key names one', async () => {
  const first = await client.enqueue('a', { input: 'x', idempotencyKey: 'order-1' })
  const again = await client.enqueue('a', { input: 'x', idempotencyKey: 'order-1' })
  expect(again.id).toBe(first.id)
})

test.each([
  ['an input that is empty', { input: '' }, /input/],
  ['a priority out of range', { input: 'x', priority: 11 }, /priority/],
  ['an option that does not exist', { input: 'x', sesionId: 's' }, /sesionId/],
  ['a traceparent that is none', { input: 'x', traceparent: 'abc' }, /traceparent/],
  ['a session name with a space', { input: 'x', sessionId: 'a b' }, /sessionId: expected 1 to 128/],
  [
    'metadata that belong into a store of their own',
    { input: 'x', metadata: { page: 'x'.repeat(70_000) } },
    /parameters and metadata: expected at most 65536 bytes together/,
  ],
  ['an input over a megabyte', { input: 'x'.repeat(1_100_000) }, /at most 1048576 bytes, got 1100000/],
])('%s is refused before anything is written', async (_what, options, message) => {
  await expect(client.enqueue('a', options)).rejects.toMatchObject({
    code: 'turn/invalid_input',
    message: expect.stringMatching(message),
  })
})

test('an agent that no running worker has is refused; with no worker at all it is accepted', async () => {
  const fleet = createFleet(redis, 'turnkeeper')
  await fleet.register('w1', ['known'], 60_000)
  await expect(client.enqueue('stranger', { input: 'x' })).rejects.toMatchObject({
    code: 'turn/unknown_agent',
  })
  await expect(client.enqueue('known', { input: 'x' })).resolves.toBeDefined()
  await fleet.leave('w1')
  await expect(client.enqueue('stranger', { input: 'x' })).resolves.toBeDefined()
})

test('waiting for a result ends with the time given, and the turn goes on', async () => {
  const turn = await client.enqueue('a', { input: 'x' })
  await expect(turn.result({ timeoutMs: 50 })).rejects.toMatchObject({ code: 'queue/result_timeout' })
  const signal = AbortSignal.abort()
  await expect(turn.result({ signal })).rejects.toMatchObject({ code: 'turn/cancelled' })
  expect((await turn.read()).state).toBe('queued')
})

test('a turn that never was is said to be unknown', async () => {
  await expect(client.turn('t-0000~nobody').result()).rejects.toMatchObject({ code: 'turn/unknown_turn' })
  expect(() => client.turn('nonsense')).toThrow(/expected a turn id/)
})
