import { connect } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { RedisServer } from '../../src/redis/embedded.ts'
import { startAnyRedis } from '../redis-servers.ts'
import { openEvents } from './event-reader.ts'
import { type HandWorker, openHandWorker } from './hand-worker.ts'
import { openGateway, post, type TestGateway } from './open-gateway.ts'

let server: RedisServer
let worker: HandWorker
let opened: TestGateway

beforeAll(async () => {
  server = await startAnyRedis()
  worker = await openHandWorker(server.url, 'sse')
  opened = await openGateway(server.url, 'sse', { heartbeatMs: 30 })
})
afterAll(async () => {
  await opened.gateway.close()
  await worker.close()
  await server.close()
})

const enqueue = async (): Promise<{ id: string; events: string }> => {
  const { body } = await post(`${opened.gateway.url}/v1/turns`, { agent: 'echo', input: 'hello' })
  const id = String(body.id)
  return { id, events: `${opened.gateway.url}/v1/turns/${encodeURIComponent(id)}/events` }
}
/** Channels on which somebody waits for events. */
const listeners = async (): Promise<number> =>
  ((await worker.redis.call('PUBSUB', 'CHANNELS', 'sse:*')) as unknown[]).length

test('events come as they happen, each with id, type and data, and the stream ends after the last', async () => {
  const { id, events } = await enqueue()
  const reader = await openEvents(events)
  expect(reader.response.headers.get('content-type')).toMatch(/^text\/event-stream/)
  expect(reader.response.headers.get('cache-control')).toBe('no-store')
  expect(reader.response.headers.get('x-accel-buffering')).toBe('no')
  const [queued] = await reader.take(1)
  expect(queued).toMatchObject({ id: '0-0.0', event: 'turn.queued' })
  expect(JSON.parse(queued?.data ?? '')).toMatchObject({ id: '0-0.0', turnId: id, position: 0 })
  const turn = await worker.take(id)
  expect((await reader.take(1))[0]).toMatchObject({ event: 'turn.started' })
  await turn.say('one ', 'two')
  expect((await reader.take(2)).map(({ data }) => JSON.parse(data).delta)).toEqual(['one ', 'two'])
  await turn.complete('one two')
  expect((await reader.take()).map(({ event }) => event)).toEqual(['turn.completed'])
})

test('whoever resumes after any event misses nothing and repeats nothing', async () => {
  const { id, events } = await enqueue()
  const turn = await worker.take(id)
  await turn.say('a', 'b', 'c')
  await turn.say('d')
  await turn.complete('abcd')
  const all = await (await openEvents(events)).take()
  expect(all).toHaveLength(7)
  for (const [index, { id: last }] of all.entries()) {
    const rest = all.slice(index + 1)
    const resumed = await openEvents(events, { 'last-event-id': String(last) })
    expect(await resumed.take()).toEqual(rest)
    expect(resumed.response.status).toBe(rest.length > 0 ? 200 : 204)
    const byQuery = await openEvents(`${events}?lastEventId=${last}`)
    expect(await byQuery.take()).toEqual(rest)
  }
})

test('a reader who lost the connection in the middle of a running turn goes on there', async () => {
  const { id, events } = await enqueue()
  const turn = await worker.take(id)
  await turn.say('a', 'b')
  const first = await openEvents(events)
  const seen = await first.take(3)
  first.leave()
  await turn.say('c')
  const second = await openEvents(events, { 'last-event-id': String(seen.at(-1)?.id) })
  await turn.complete('abc')
  const deltas = [...seen, ...(await second.take())].flatMap(({ data }) => JSON.parse(data).delta ?? [])
  expect(deltas).toEqual(['a', 'b', 'c'])
})

test('a silent stream gets comments, and a client that goes away ends the reading', async () => {
  const { events } = await enqueue()
  const reader = await openEvents(events)
  await reader.take(1)
  const more = reader.take(1).catch(() => [])
  await expect.poll(() => reader.comments).toContain('still here')
  await expect.poll(() => listeners()).toBe(1)
  reader.leave()
  expect(await more).toEqual([])
  await expect.poll(() => listeners()).toBe(0)
})

test('a client that takes nothing makes the server wait, and still gets everything later', async () => {
  const { id, events } = await enqueue()
  const turn = await worker.take(id)
  const megabyte = 'x'.repeat(1024 * 1024)
  const { hostname, port, pathname } = new URL(events)
  const socket = connect(Number(port), hostname)
  socket.write(`GET ${pathname} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n`)
  socket.pause()
  for (let sent = 0; sent < 24; sent += 1) await turn.say(megabyte)
  await turn.complete('done')
  await sleep(100)
  expect(await listeners()).toBe(1) // what is not taken is not read, so the reader has not come to the end
  let received = ''
  for await (const chunk of socket) received += String(chunk)
  expect(received.match(/event: text\.delta/g)).toHaveLength(24)
  expect(received).toContain('event: turn.completed')
  await expect.poll(() => listeners()).toBe(0)
})

test('an id that is not of an event is refused', async () => {
  const { events } = await enqueue()
  const response = await fetch(events, { headers: { 'last-event-id': 'yesterday' } })
  expect(response.status).toBe(400)
  expect(await response.json()).toMatchObject({ error: { code: 'turn/invalid_input' } })
})

test('closing the gateway ends open streams, so that readers can resume elsewhere', async () => {
  const other = await openGateway(server.url, 'sse')
  const { events } = await enqueue()
  const reader = await openEvents(events.replace(opened.gateway.url, other.gateway.url))
  await reader.take(1)
  await Promise.all([other.gateway.close(), expect(reader.take()).resolves.toEqual([])])
})
