import { request } from 'node:http'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { RedisServer } from '../../src/redis/embedded.ts'
import { startAnyRedis } from '../redis-servers.ts'
import { type HandWorker, openHandWorker } from './hand-worker.ts'
import { openGateway, post, type TestGateway } from './open-gateway.ts'

let server: RedisServer
let worker: HandWorker
let opened: TestGateway
let turnsUrl: string

beforeAll(async () => {
  server = await startAnyRedis()
  worker = await openHandWorker(server.url, 'http')
  opened = await openGateway(server.url, 'http')
  turnsUrl = `${opened.gateway.url}/v1/turns`
})
afterAll(async () => {
  await opened.gateway.close()
  await worker.close()
  await server.close()
})

const turn = (more: object = {}) => ({ agent: 'echo', input: 'hello', ...more })
const at = (id: unknown): string => `${turnsUrl}/${encodeURIComponent(String(id))}`

test('a posted turn is accepted, and its record is read with the result once it has ended', async () => {
  const { status, body, headers } = await post(turnsUrl, turn({ sessionId: 'support-42', tenant: 'acme' }))
  expect(status).toBe(202)
  expect(body).toEqual({
    id: expect.stringMatching(/^t-/),
    sessionId: 'support-42',
    status: 'queued',
  })
  await (await worker.take(String(body.id))).complete('hi there')
  const response = await fetch(`${opened.gateway.url}${headers.get('location')}`)
  expect(response.status).toBe(200)
  expect(await response.json()).toMatchObject({
    id: body.id,
    agent: 'echo',
    state: 'completed',
    result: { text: 'hi there' },
  })
})

test('the same Idempotency-Key gives the same turn with its present state, other input is a conflict', async () => {
  const key = { 'idempotency-key': 'order-7' }
  const first = await post(turnsUrl, turn(), key)
  await (await worker.take(String(first.body.id))).complete('done')
  const again = await post(turnsUrl, turn(), key)
  expect(again).toMatchObject({ status: 202, body: { id: first.body.id, status: 'completed' } })
  const other = await post(turnsUrl, turn({ input: 'something else' }), key)
  expect(other).toMatchObject({
    status: 409,
    body: { error: { code: 'queue/idempotency_conflict', retryable: false } },
  })
})

test('a key in the body and another in the header is refused', async () => {
  const answer = await post(turnsUrl, turn({ idempotencyKey: 'a' }), { 'idempotency-key': 'b' })
  expect(answer).toMatchObject({ status: 400, body: { error: { code: 'turn/invalid_input' } } })
})

test('the trace of the caller goes on in the turn, and a malformed one is as good as none', async () => {
  const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'
  const traced = await post(turnsUrl, turn(), { traceparent })
  const untraced = await post(turnsUrl, turn(), { traceparent: 'nonsense' })
  expect((await worker.journal.read(String(traced.body.id)))?.carrier).toEqual({ traceparent })
  expect((await worker.journal.read(String(untraced.body.id)))?.carrier).toEqual({})
})

test('an unknown key is refused by its name, with the known one that was meant', async () => {
  const { status, body } = await post(turnsUrl, turn({ sesionId: 's' }))
  expect(status).toBe(400)
  expect(body).toMatchObject({
    error: { code: 'turn/invalid_input', message: 'sesionId: unknown key, did you mean "sessionId"?' },
  })
})

test.each([
  ['no input', { agent: 'echo' }, /input/],
  ['no agent', { input: 'x' }, /agent/],
  ['a priority out of range', turn({ priority: 11 }), /priority/],
  ['a session id that could not stand in a key', turn({ sessionId: 'a b' }), /sessionId/],
  ['a list', [], /body/],
])('%s is invalid input, and the message says where', async (_name, body, message) => {
  const answer = await post(turnsUrl, body)
  expect(answer).toMatchObject({ status: 400, body: { error: { code: 'turn/invalid_input' } } })
  expect((answer.body.error as { message: string }).message).toMatch(message)
})

test.each([
  ['malformed JSON', '{"agent":', 400],
  ['an empty body', '', 400],
  ['a poisoned prototype', '{"__proto__":{"agent":"echo"},"input":"x"}', 400],
  ['a body over 2 MiB', JSON.stringify(turn({ input: 'x'.repeat(2_200_000) })), 413],
])('%s is refused in our own form', async (_name, body, status) => {
  const answer = await post(turnsUrl, body)
  expect(answer.status).toBe(status)
  expect(answer.body).toEqual({
    error: expect.objectContaining({ category: 'bad_request', retryable: false, attempts: [] }),
  })
})

test('a body that is not JSON by its content type is refused', async () => {
  const answer = await post(turnsUrl, turn(), { 'content-type': 'text/plain' })
  expect(answer).toMatchObject({ status: 415, body: { error: { code: 'bad_request/invalid_request' } } })
})

test.each([
  't-0000000000000000~nobody',
  'nonsense',
  `t-0000000000000000~${'x'.repeat(128)}~${'y'.repeat(128)}`,
])('a turn that is not kept (%s) is 404, and so are its events', async (id) => {
  for (const url of [at(id), `${at(id)}/events`]) {
    const response = await fetch(url)
    expect(response.status).toBe(404)
    expect(await response.json()).toMatchObject({ error: { code: 'turn/unknown_turn' } })
  }
})

test('an agent that no running worker has is 404', async () => {
  await worker.redis.zadd('{http:fleet}:workers', Date.now() + 60_000, 'w1')
  try {
    const answer = await post(turnsUrl, turn({ agent: 'nobody' }))
    expect(answer).toMatchObject({ status: 404, body: { error: { code: 'turn/unknown_agent' } } })
  } finally {
    await worker.redis.del('{http:fleet}:workers')
  }
})

test('an unknown path is 404 in our own form', async () => {
  const response = await fetch(`${opened.gateway.url}/v2/nothing?token=secret`)
  expect(response.status).toBe(404)
  expect(await response.json()).toMatchObject({
    error: { code: 'bad_request/invalid_request', message: 'there is no GET /v2/nothing here' },
  })
})

test('a request that was addressed to another host name is refused', async () => {
  const { hostname, port } = new URL(turnsUrl)
  const status = (host: string): Promise<number | undefined> =>
    new Promise((resolve, reject) => {
      const sent = request({ hostname, port, path: '/health', headers: { host }, agent: false }, (answer) => {
        answer.resume()
        resolve(answer.statusCode)
      })
      sent.once('error', reject).end()
    })
  expect(await status('evil.example')).toBe(403)
  expect(await status('127.0.0.1.evil.example:80')).toBe(403)
  expect(await status(`localhost:${port}`)).toBe(200)
  expect(await status(`[::1]:${port}`)).toBe(200)
})

test('what the queue cannot take is answered with 429 and the time to try again', async () => {
  const full = await openGateway(server.url, 'full', { queue: { tenants: { default: { queued: 1 } } } })
  const url = `${full.gateway.url}/v1/turns`
  expect((await post(url, turn())).status).toBe(202)
  const { status, headers, body } = await post(url, turn())
  await full.gateway.close()
  expect(status).toBe(429)
  expect(headers.get('retry-after')).toBe('5')
  expect(body).toMatchObject({
    error: { code: 'queue/overloaded_queue', retryable: true, retryAfterMs: 5_000 },
  })
})
