import { setTimeout as sleep } from 'node:timers/promises'
import type { Command } from 'ioredis'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import type { QueueBackend } from '../../src/queue/backend.ts'
import type { TurnEvent } from '../../src/queue/types.ts'
import type { RedisServer } from '../../src/redis/embedded.ts'
import { globalKeys, newTurnId, sessionRef } from '../../src/redis/keys.ts'
import { tagOf } from '../../src/redis/scripts.ts'
import { hasRedisServer, startAnyRedis, startRedis } from '../redis-servers.ts'
import { type OpenQueue, openQueue } from './open-queue.ts'

let server: RedisServer
let count = 0
const open: OpenQueue[] = []

beforeAll(async () => {
  server = await startAnyRedis()
})
afterAll(() => server.close())
afterEach(async () => {
  for (const one of open.splice(0)) await one.close()
})

async function queue(settings: object = {}): Promise<OpenQueue> {
  const opened = await openQueue(server.url, { prefix: `accept${++count}`, queue: settings })
  open.push(opened)
  return opened
}

/** Counts what is sent on the backend's connection: commands, and how often one was sent while none was under way. */
function watchWire({ redis }: QueueBackend): { commands: string[]; roundTrips: number } {
  const seen = { commands: [] as string[], roundTrips: 0 }
  let underWay = 0
  let sentInTurn = false
  const send = redis.sendCommand as (...args: [Command, ...unknown[]]) => unknown
  redis.sendCommand = function (this: unknown, ...args: Parameters<typeof send>) {
    const [command] = args
    seen.commands.push(command.name)
    if (underWay === 0 && !sentInTurn) seen.roundTrips++
    sentInTurn = true
    setImmediate(() => {
      sentInTurn = false
    })
    underWay++
    command.promise.then(
      () => underWay--,
      () => underWay--,
    )
    return send.apply(redis, args)
  } as typeof send
  return seen
}

const many = (howMany: number, more: object = {}) =>
  Array.from({ length: howMany }, (_, i) => ({ agent: 'a', input: `${i}`, ...more }))

test('a turn is accepted with two commands in two round trips', async () => {
  const { backend, client } = await queue()
  await client.enqueue('a', { input: 'warm' })
  const wire = watchWire(backend)
  await client.enqueue('a', { input: 'x' })
  expect(wire.commands).toEqual(['evalsha', 'evalsha'])
  expect(wire.roundTrips).toBe(2)
})

/** From now on commands with keys of several slots are refused, as some proxies do; counts them. */
function refuseSeveralSlots({ redis }: QueueBackend): () => number {
  const send = redis.sendCommand as (...args: [Command, ...unknown[]]) => unknown
  let refused = 0
  redis.sendCommand = ((...[command, ...rest]: Parameters<typeof send>) => {
    const [, keys, ...words] = command.args.map(String)
    const tags = new Set(words.slice(0, Number(keys)).map(tagOf))
    if (/^eval/.test(command.name) && tags.size > 1) {
      refused++
      command.reject(new Error("CROSSSLOT Keys in request don't hash to the same slot"))
      return command.promise
    }
    return send.call(redis, command, ...rest)
  }) as typeof send
  return () => refused
}

test('behind a proxy that refuses keys of several slots, a turn is accepted and ended by parts', async () => {
  const { backend, client } = await queue()
  const refused = refuseSeveralSlots(backend)
  const turns = [await client.enqueue('a', { input: 'x' }), await client.enqueue('a', { input: 'y' })]
  for (const { id } of turns) {
    const who = { worker: 'w', wakeup: 'j', leaseMs: 10_000, agents: '*' as const }
    const claimed = await backend.journal.claim(id, who)
    if (claimed.outcome !== 'claimed') throw new Error('expected a claim')
    await backend.journal.finish(claimed.claim, { state: 'cancelled', events: [] })
  }
  expect(refused()).toBe(2) // once where turns are accepted, and once in the journal
  expect((await client.turns()).turns.map(({ state }) => state)).toEqual(['cancelled', 'cancelled'])
  const { open, running } = globalKeys(backend.prefix).tenant('default')
  expect(await backend.redis.exists(open, running, globalKeys(backend.prefix).open)).toBe(0)
})

test('behind such a proxy, what several turns say at once reaches the readers of each', async () => {
  const { backend, client } = await queue()
  const claims = await Promise.all(
    ['x', 'y'].map(async (input) => {
      const { id } = await client.enqueue('a', { input })
      const who = { worker: 'w', wakeup: 'j', leaseMs: 10_000, agents: '*' as const }
      const claimed = await backend.journal.claim(id, who)
      if (claimed.outcome !== 'claimed') throw new Error('expected a claim')
      return claimed.claim
    }),
  )
  refuseSeveralSlots(backend)
  const said = claims.map((claim) =>
    backend.journal.relay(claim)([{ type: 'text.delta', stepId: 'm1', delta: claim.turn.input }]),
  )
  expect(await Promise.all(said)).toEqual(['ok', 'ok'])
  for (const { turn } of claims) {
    let last: TurnEvent | undefined
    for await (const event of client.turn(turn.id).events({ follow: false })) last = event
    expect(last).toMatchObject({ type: 'text.delta', delta: turn.input })
  }
})

test('a turn that was accepted is not refused when its command comes again, whatever waits by then (B1)', async () => {
  const { backend, client } = await queue({ tenants: { default: { queued: 1 } } })
  const turn = { session: sessionRef('s'), agent: 'a', input: 'x', options: {}, carrier: {} }
  const named = { ...turn, turnId: newTurnId(turn.session) }
  const taken = await backend.journal.takeIn(named)
  expect(taken).toMatchObject({ outcome: 'taken', rank: 1_000_000, accepted: { position: 0 } })
  await expect(client.enqueue('a', { input: 'y' })).rejects.toMatchObject({ code: 'queue/overloaded_queue' })
  expect(await backend.journal.takeIn(named)).toEqual(taken)
})

test('a thousand turns take three round trips, and keep their order within their sessions (A2)', async () => {
  const { backend, client } = await queue()
  await client.enqueueMany(many(2))
  const wire = watchWire(backend)
  const turns = await client.enqueueMany(
    Array.from({ length: 1_000 }, (_, i) => ({ agent: 'a', input: `${i}`, sessionId: `s${i % 10}` })),
  )
  expect(wire.roundTrips).toBeLessThanOrEqual(3)
  expect(wire.commands.length).toBeLessThanOrEqual(2 * 1_000 + 10)
  const positions = await Promise.all(turns.map(async (turn) => (await turn.read()).position))
  expect(positions).toEqual(turns.map((_, i) => Math.floor(i / 10)))
})

test('calls that are not awaited keep their order beside a call with many turns (A2)', async () => {
  const { client } = await queue()
  const calls = [
    client.enqueue('a', { input: 'x', sessionId: 's' }).then((turn) => [turn]),
    client.enqueueMany(many(3, { sessionId: 's' })),
    client.enqueue('a', { input: 'y', sessionId: 's' }).then((turn) => [turn]),
  ]
  const turns = (await Promise.all(calls)).flat()
  expect(await Promise.all(turns.map(async (turn) => (await turn.read()).position))).toEqual([0, 1, 2, 3, 4])
})

test('of many turns, an idempotency key of one gives the turn that it stands for', async () => {
  const { client } = await queue()
  const first = await client.enqueue('a', { input: 'x', idempotencyKey: 'k' })
  const [again, other] = await client.enqueueMany([
    { agent: 'a', input: 'x', idempotencyKey: 'k' },
    { agent: 'a', input: 'z' },
  ])
  expect(again?.id).toBe(first.id)
  expect((await client.turns()).turns).toHaveLength(2)
  expect(other?.id).not.toBe(first.id)
})

test('nothing is accepted while a turn that could start has waited too long, nor refused once it has started', async () => {
  const { backend, client } = await queue({ maxQueueAge: '200ms' })
  const first = await client.enqueue('a', { input: 'x' })
  await sleep(250)
  const refused = client.enqueue('a', { input: 'y' })
  await expect(refused).rejects.toMatchObject({ code: 'queue/overloaded_queue', retryAfterMs: 1_000 })
  expect((await client.turns()).turns).toHaveLength(1)
  const who = { worker: 'w', wakeup: 'j', leaseMs: 10_000, agents: '*' as const }
  await backend.journal.claim(first.id, who)
  await client.enqueue('a', { input: 'y', sessionId: 'busy' })
})

test('what could not start anyway does not count as waiting (B2)', async () => {
  const { backend, client } = await queue({ maxQueueAge: '200ms' })
  await client.enqueue('a', { input: 'later', delayMs: 60_000 })
  const first = await client.enqueue('a', { input: 'first', sessionId: 's' })
  await client.enqueue('a', { input: 'second', sessionId: 's' })
  const who = { worker: 'w', wakeup: 'j', leaseMs: 10_000, agents: '*' as const }
  const claimed = await backend.journal.claim(first.id, who)
  if (claimed.outcome !== 'claimed') throw new Error('expected a claim')
  await backend.journal.finish(claimed.claim, { state: 'waiting_approval', holdMs: 60_000, events: [] })
  await sleep(250)
  expect(await backend.backlog.size()).toEqual({ ready: 0, limited: 0, oldestMs: 0 })
  await client.enqueue('a', { input: 'third', sessionId: 's' })
})

test('marks that a crash has left are no reason to refuse anybody (B2)', async () => {
  const { backend, client } = await queue({ maxQueueAge: '200ms' })
  await backend.redis.zadd(globalKeys(backend.prefix).ready, 1, 'a-session-of-nobody')
  await client.enqueue('a', { input: 'x' })
  expect((await backend.backlog.size()).oldestMs).toBeLessThan(200)
})

test.skipIf(!hasRedisServer)(
  'nothing is accepted while Redis has used more than 80 % of its memory',
  async () => {
    await using own = await startAnyRedis()
    await using opened = { ...(await openQueue(own.url)), [Symbol.asyncDispose]: () => opened.close() }
    const { backend, client } = opened
    const used = Number(/used_memory:(\d+)/.exec(await backend.redis.info('memory'))?.[1])
    await backend.redis.config('SET', 'maxmemory', String(Math.round(used * 1.1)))
    await expect(client.enqueue('a', { input: 'x' })).rejects.toMatchObject({
      code: 'queue/overloaded_queue',
      message: expect.stringContaining('of its memory'),
      retryAfterMs: 10_000,
    })
    expect((await client.turns()).turns).toHaveLength(0)
    await backend.redis.config('SET', 'maxmemory', String(used * 4))
    await expect
      .poll(() => client.enqueue('a', { input: 'x' }).then(() => 'accepted', String), { timeout: 3_000 })
      .toBe('accepted')
  },
)

test.skipIf(!hasRedisServer)('a waiting turn of 1 KB takes less than 6 KB of Redis', async () => {
  await using own = await startRedis('redis-server')
  const { backend, client, close } = await openQueue(own.url)
  const used = async (): Promise<number> =>
    Number(/used_memory:(\d+)/.exec(await backend.redis.info('memory'))?.[1])
  await client.enqueue('a', { input: 'warm' })
  const before = await used()
  const howMany = 2_000
  await client.enqueueMany(many(howMany, { input: 'x'.repeat(1_024), tenant: 'acme' }))
  expect(((await used()) - before) / howMany).toBeLessThan(6 * 1_024)
  await close()
})
