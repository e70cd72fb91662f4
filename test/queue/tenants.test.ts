import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { reconcile } from '../../src/queue/reconciler.ts'
import type { RedisServer } from '../../src/redis/embedded.ts'
import { noTelemetry } from '../../src/telemetry/none.ts'
import { startAnyRedis } from '../redis-servers.ts'
import { type LiveWorker, startLiveWorker } from './live-worker.ts'
import { type OpenQueue, openQueue } from './open-queue.ts'

let server: RedisServer
let count = 0
const open: { close(): Promise<void> }[] = []

beforeAll(async () => {
  server = await startAnyRedis()
})
afterAll(() => server.close())
afterEach(async () => {
  for (const one of open.splice(0).reverse()) await one.close()
})

const prefix = () => `tenants${++count}`
async function worker(options: Parameters<typeof startLiveWorker>[1]): Promise<LiveWorker> {
  const started = await startLiveWorker(server.url, options)
  open.push(started)
  return started
}
async function queue(name: string, settings: object = {}): Promise<OpenQueue> {
  const opened = await openQueue(server.url, { prefix: name, queue: settings })
  open.push(opened)
  return opened
}
const turns = (tenant: string, howMany: number, more: object = {}) =>
  Array.from({ length: howMany }, (_, i) => ({ agent: 'a', input: `in-${tenant}-${i}`, tenant, ...more }))

test('beside a tenant with 5,000 queued turns, the next turn of another starts within two turns (B4)', async () => {
  const name = prefix()
  const turnMs = 200
  const { client } = await queue(name)
  await client.enqueueMany(turns('big', 5_000))
  const { begun } = await worker({ prefix: name, turnMs, concurrency: 2 })
  await expect.poll(() => begun.length, { timeout: 5_000 }).toBeGreaterThan(3)
  const turn = await client.enqueue('a', { input: 'in-small-1', tenant: 'small' })
  expect((await turn.result()).status).toBe('completed')
  const { startedAt = 0, acceptedAt } = await turn.read()
  expect(startedAt - acceptedAt).toBeLessThan(2 * turnMs)
  expect(begun.filter((input) => input.startsWith('in-big')).length).toBeLessThan(50)
}, 30_000)

test('a higher priority passes any backlog, and within a session the order stays', async () => {
  const name = prefix()
  const { client } = await queue(name)
  await client.enqueueMany(turns('big', 20))
  await client.enqueueMany(turns('calm', 3, { sessionId: 's', priority: 5 }))
  const { begun } = await worker({ prefix: name, turnMs: 5, concurrency: 1 })
  await expect.poll(() => begun.length, { timeout: 5_000 }).toBe(23)
  expect(begun.slice(0, 3)).toEqual(['in-calm-0', 'in-calm-1', 'in-calm-2'])
})

test('no more turns of a tenant run than its limit says; the rest wait without being asked again (B3)', async () => {
  const name = prefix()
  const settings = { tenants: { big: { running: 2 } } }
  const { client } = await queue(name, settings)
  const all = await client.enqueueMany([...turns('big', 12), ...turns('other', 4)])
  const live = await worker({ prefix: name, turnMs: 50, concurrency: 8, queue: settings })
  const results = await Promise.all(all.map((turn) => turn.result({ timeoutMs: 10_000 })))
  expect(new Set(results.map(({ status }) => status))).toEqual(new Set(['completed']))
  expect(live.most('in-big')).toBe(2)
  expect(live.most('in-other')).toBe(4)
  // Each turn is looked at when its wake-up comes, and again when its place is free.
  expect(live.wakeUps()).toBeLessThanOrEqual(2 * 16 + 4)
})

test('a reconciler does not wake what waits for its tenant, and wakes it when a dead worker has left the place (B3)', async () => {
  const name = prefix()
  const { backend, client } = await queue(name, { tenants: { default: { running: 1 } } })
  const [first, second] = await client.enqueueMany(turns('t', 2))
  expect(await backend.backlog.start(first!.id, 300)).toBe('go')
  expect(await backend.backlog.start(second!.id, 300)).toBe('limited')
  expect(await backend.backlog.size()).toMatchObject({ limited: 1 })
  expect(await backend.backlog.rouse(second!.id, 0)).toEqual({ outcome: 'limited' })
  await sleep(350)
  await reconcile({ backend, log: noTelemetry.log })
  expect(await backend.backlog.rouse(second!.id, 0)).toMatchObject({ outcome: 'go' })
  expect(await backend.backlog.size()).toMatchObject({ limited: 0 })
})

test('a turn over the limit of queued ones is refused with a time to try again, others are not (B1)', async () => {
  const { client } = await queue(prefix(), { tenants: { small: { queued: 3 }, default: { queued: 5 } } })
  await client.enqueueMany(turns('small', 3))
  const more = client.enqueue('a', { input: 'x', tenant: 'small' })
  await expect(more).rejects.toMatchObject({
    code: 'queue/overloaded_queue',
    retryable: true,
    retryAfterMs: 5_000,
    message: expect.stringContaining('tenant small has 3 turns waiting'),
  })
  await expect(client.enqueueMany(turns('other', 6))).rejects.toMatchObject({
    code: 'queue/overloaded_queue',
  })
  expect((await client.turns()).turns).toHaveLength(3)
  await client.enqueueMany(turns('other', 5))
  await client.enqueueMany(Array.from({ length: 5 }, () => ({ agent: 'a', input: 'x' })))
  await expect(client.enqueue('a', { input: 'x' })).rejects.toThrow('tenant default')
})

test('a turn that has ended or was cancelled makes room', async () => {
  const { client } = await queue(prefix(), { tenants: { default: { queued: 1 } } })
  const first = await client.enqueue('a', { input: 'x' })
  await expect(client.enqueue('a', { input: 'y' })).rejects.toMatchObject({ code: 'queue/overloaded_queue' })
  await first.cancel()
  await client.enqueue('a', { input: 'y' })
})
