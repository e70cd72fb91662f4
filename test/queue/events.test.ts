import type { Command } from 'ioredis'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { parseAnnouncement } from '../../src/queue/events/announcements.ts'
import { readEvents } from '../../src/queue/events/events.ts'
import type { TurnEvent } from '../../src/queue/types.ts'
import type { RedisServer } from '../../src/redis/embedded.ts'
import { sessionKeys, sessionOfTurn } from '../../src/redis/keys.ts'
import { type HandWorker, openHandWorker } from '../gateway/hand-worker.ts'
import { serverKinds, startRedis } from '../redis-servers.ts'
import { type OpenQueue, openQueue } from './open-queue.ts'

const PREFIX = 'reading'

describe.each(serverKinds)('reading a turn on %s', (kind) => {
  let server: RedisServer
  let queue: OpenQueue
  let worker: HandWorker

  beforeAll(async () => {
    server = await startRedis(kind)
    queue = await openQueue(server.url, { prefix: PREFIX })
    worker = await openHandWorker(server.url, PREFIX)
  })
  afterAll(async () => {
    await worker.close()
    await queue.close()
    await server.close()
  })

  /** Names of the commands that the client sends from now on. */
  const watch = (): string[] => {
    const { redis } = queue.backend
    const seen: string[] = []
    const send = redis.sendCommand as (...args: [Command, ...unknown[]]) => unknown
    redis.sendCommand = ((...args: Parameters<typeof send>) => {
      seen.push(args[0].name)
      return send.apply(redis, args)
    }) as typeof send
    return seen
  }
  /** What a reader has got so far, and when it has got as many as that. */
  const reading = (events: AsyncIterable<TurnEvent>) => {
    const got: string[] = []
    const ended = (async () => {
      for await (const event of events) got.push('delta' in event ? event.delta : event.type)
    })()
    return {
      got,
      ended,
      until: (count: number) => expect.poll(() => got.length).toBeGreaterThanOrEqual(count),
    }
  }

  test('who follows a turn looks into the stream once; the rest is what is announced', async () => {
    const turn = await queue.client.enqueue('a', { input: 'x' })
    const held = await worker.take(turn.id)
    const commands = watch()
    const { got, ended, until } = reading(turn)
    await until(2)
    for (const word of ['one', 'two', 'three']) await held.say(word)
    await held.complete('done')
    await ended
    expect(got).toEqual(['turn.queued', 'turn.started', 'one', 'two', 'three', 'turn.completed'])
    expect(commands).toEqual(['hget', 'xrange'])
  })

  test('a write that was not announced is read from the stream when the next one is (V1)', async () => {
    const turn = await queue.client.enqueue('a', { input: 'x' })
    const held = await worker.take(turn.id)
    const { got, ended, until } = reading(turn)
    await until(2)
    await held.say('one')
    await until(3)
    const { channel, events } = sessionKeys(PREFIX, sessionOfTurn(turn.id)).turn(turn.id)
    // As if the announcement of the second had been lost: its place is taken by one that says nothing new.
    const [last] = await worker.redis.xrevrange(events, '+', '-', 'COUNT', 1)
    const lost = JSON.stringify([{ type: 'text.delta', stepId: 'm1', delta: 'two' }])
    const entry = await worker.redis.xadd(events, '*', 'e', lost)
    await worker.redis.publish(channel, `1-1 ${last?.[0]} []`)
    await worker.redis.hset(
      sessionKeys(PREFIX, sessionOfTurn(turn.id)).turn(turn.id).turn,
      'last',
      `${entry}`,
    )
    await held.say('three')
    await held.complete('done')
    await ended
    expect(got.slice(2)).toEqual(['one', 'two', 'three', 'turn.completed'])
  })

  test('events too long to be announced come as soon, by a look', async () => {
    const turn = await queue.client.enqueue('a', { input: 'x' })
    const held = await worker.take(turn.id)
    const { got, ended, until } = reading(turn)
    await until(2)
    const long = 'x'.repeat(50_000)
    const startedAt = performance.now()
    await held.say(long)
    await until(3)
    expect(performance.now() - startedAt).toBeLessThan(900)
    await held.complete('done')
    await ended
    expect(got.slice(2)).toEqual([long, 'turn.completed'])
  })

  test('a reader that goes on in the middle of a write misses and repeats nothing (V1)', async () => {
    const turn = await queue.client.enqueue('a', { input: 'x' })
    const held = await worker.take(turn.id)
    await held.say('one', 'two', 'three')
    let lastEventId = ''
    for await (const event of turn) {
      lastEventId = event.id
      if ('delta' in event && event.delta === 'two') break
    }
    const { got, ended, until } = reading(turn.events({ lastEventId }))
    await until(1)
    await held.say('four')
    await held.complete('done')
    await ended
    expect(got).toEqual(['three', 'four', 'turn.completed'])
  })

  test('a reader looks at once where others follow the turn already', async () => {
    const turn = await queue.client.enqueue('a', { input: 'x' })
    const held = await worker.take(turn.id)
    const first = reading(turn)
    await first.until(2)
    const startedAt = performance.now()
    const second = reading(turn)
    await second.until(2)
    expect(performance.now() - startedAt).toBeLessThan(500)
    await held.complete('done')
    await Promise.all([first.ended, second.ended])
    expect(second.got).toEqual(first.got)
  })

  test('who waits for a result does not look at the turn at each delta', async () => {
    const turn = await queue.client.enqueue('a', { input: 'x' })
    const held = await worker.take(turn.id)
    const result = turn.result()
    await new Promise((resolve) => setTimeout(resolve, 50))
    const commands = watch()
    for (let i = 0; i < 20; i++) await held.say('word')
    await held.complete('done')
    expect((await result).text).toBe('done')
    expect(commands.filter((name) => name === 'hgetall').length).toBeLessThanOrEqual(2)
  })

  test('a reader that has left is told nothing of a Redis that does not answer', async () => {
    const turn = await queue.client.enqueue('a', { input: 'x' })
    const leave = new AbortController()
    const source = {
      ...queue.backend,
      journal: {
        ...queue.backend.journal,
        stateOf: async () => {
          leave.abort()
          throw new Error('Redis is away')
        },
      },
    }
    const got: string[] = []
    for await (const { type } of readEvents(source, turn.id, { signal: leave.signal })) got.push(type)
    expect(got).toEqual(['turn.queued'])
  })
})

test('an announcement names the entry before it, its own and its events, which may hold anything', () => {
  const events = '[{"type":"text.delta","delta":"a b  c"}]'
  expect(parseAnnouncement(`1-0 2-0 ${events}`)).toEqual({ after: '1-0', entry: '2-0', events })
  expect(parseAnnouncement(` 2-0 ${events}`)).toEqual({ after: '', entry: '2-0', events })
  expect(parseAnnouncement('')).toBeUndefined()
  expect(parseAnnouncement('1')).toBeUndefined()
})
