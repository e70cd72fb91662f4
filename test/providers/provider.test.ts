import type { AddressInfo } from 'node:net'
import { createServer } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { brotliCompressSync, gzipSync } from 'node:zlib'

import { expect, test } from 'vitest'

import { TurnkeeperError } from '../../src/errors.ts'
import { createProvider, type ProviderOptions } from '../../src/providers/provider.ts'
import type { ModelRequest, StreamPart } from '../../src/providers/types.ts'
import { type Answer, chunk, completion, event, openStream, sendJson, serve } from './upstream-server.ts'

const request: ModelRequest = { messages: [{ role: 'user', content: 'hi' }] }

function providerOf(baseUrl: string, options: Partial<ProviderOptions> = {}) {
  return createProvider({
    protocol: 'openai-chat',
    baseUrl,
    apiKey: 'k3y-value',
    model: 'm',
    retries: 0,
    ...options,
  })
}

async function failureOf(promise: Promise<unknown>): Promise<TurnkeeperError> {
  const error = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  )
  if (error instanceof TurnkeeperError) return error
  throw new Error('expected the call to fail with a TurnkeeperError', { cause: error })
}

/** Serves `answer` and gives the error of one call of it. */
async function failureFrom(answer: Answer, options: Partial<ProviderOptions> = {}): Promise<TurnkeeperError> {
  await using server = await serve(answer)
  await using upstream = providerOf(server.baseUrl, options)
  return await failureOf(upstream.complete(request))
}

/** undici gives a connection free one turn of the event loop after its response. */
const nextTurn = (): Promise<void> => sleep(5)

async function partsOf(parts: AsyncIterable<StreamPart>): Promise<StreamPart[]> {
  const all: StreamPart[] = []
  for await (const part of parts) all.push(part)
  return all
}

// Far enough from the pauses of a busy machine that each limit is met by its own case alone.
const timeouts = { connectMs: 1000, headersMs: 400, firstContentMs: 600, idleMs: 500, totalMs: 1200 }

const answerStream: Answer = (response) => {
  openStream(response)
  response.end(chunk({ content: 'Hel' }) + chunk({ content: 'lo' }) + chunk({}, 'stop') + event('[DONE]'))
}

test('a request says what it accepts, in which encoding, and who asks', async () => {
  await using server = await serve((response) => sendJson(response, completion({ content: 'ok' })))
  await using upstream = providerOf(`${server.baseUrl}?api-version=1`, {
    stream: false,
    headers: { 'X-Title': 'app' },
  })
  await upstream.complete(request)
  expect(server.requests[0]?.url).toBe('/v1/chat/completions?api-version=1')
  expect(server.requests[0]?.headers).toMatchObject({
    accept: 'application/json; charset=utf-8',
    'accept-encoding': 'identity',
    'content-type': 'application/json; charset=utf-8',
    authorization: 'Bearer k3y-value',
    'x-title': 'app',
  })
  expect(JSON.parse(server.requests[0]?.body ?? '')).toMatchObject({
    model: 'm',
    stream: false,
    max_tokens: 4096,
  })
})

test('P1: stream yields start first and finish last', async () => {
  await using server = await serve(answerStream)
  await using upstream = providerOf(server.baseUrl)
  const parts = await partsOf(upstream.stream(request))
  expect(parts).toEqual([
    { type: 'start', requestId: 'c1', model: 'm-2026', route: '127.0.0.1/m' },
    { type: 'text', delta: 'Hel' },
    { type: 'text', delta: 'lo' },
    { type: 'finish', reason: 'stop', rawReason: 'stop' },
  ])
  expect(server.requests[0]?.headers.accept).toBe('text/event-stream; charset=utf-8')
})

test('an answer ends with its end marker, though the upstream keeps the connection open', async () => {
  await using server = await serve((response) => {
    openStream(response)
    response.write(chunk({ content: 'Hi' }, 'stop') + event('[DONE]'))
  })
  await using upstream = providerOf(server.baseUrl, { timeouts })
  expect((await upstream.complete(request)).text).toBe('Hi')
})

test('calls in a row use one connection', async () => {
  await using server = await serve(answerStream)
  await using upstream = providerOf(server.baseUrl)
  for (let i = 0; i < 3; i++) {
    await upstream.complete(request)
    await nextTurn()
  }
  expect(server.sockets).toHaveLength(1)
})

test('P2: what had come before a failure is kept, in the part and in the error', async () => {
  await using server = await serve((response) => {
    openStream(response)
    response.write(chunk({ content: 'half' }), () => setTimeout(() => response.destroy(), 20))
  })
  await using upstream = providerOf(server.baseUrl)
  const last = (await partsOf(upstream.stream(request))).at(-1)
  expect(last).toMatchObject({
    type: 'error',
    error: { code: 'network/truncated_stream' },
    partial: { text: 'half' },
  })
  const error = await failureOf(upstream.complete(request))
  expect(error.partial).toMatchObject({ text: 'half' })
  expect(error.attempts).toMatchObject([{ route: '127.0.0.1/m', outcome: 'failed', status: 200 }])
})

const silent: Answer = () => {}
const slow: [string, Answer, string][] = [
  ['headers that never come', silent, 'timeout_headers'],
  [
    'a stream that falls silent',
    (r) => {
      openStream(r)
      r.write(chunk({ content: 'a' }))
    },
    'stall',
  ],
  [
    'comments without content',
    (r) => {
      openStream(r)
      const timer = setInterval(() => r.write(': keep-alive\n\n'), 40)
      r.on('close', () => clearInterval(timer))
    },
    'timeout_first_content',
  ],
  [
    'an answer without end',
    (r) => {
      openStream(r)
      const timer = setInterval(() => r.write(chunk({ content: '.' })), 40)
      r.on('close', () => clearInterval(timer))
    },
    'timeout_total',
  ],
]

test.each(slow)('%s ends in time', async (_name, answer, reason) => {
  const startedAt = Date.now()
  expect((await failureFrom(answer, { timeouts })).reason).toBe(reason)
  expect(Date.now() - startedAt).toBeLessThan(5000)
})

test('a refused connection, an unknown host and an upstream that is no TLS server are told apart', async () => {
  await using server = await serve(silent)
  const { port } = new URL(server.baseUrl)
  await using plain = providerOf(`https://127.0.0.1:${port}/v1`)
  expect((await failureOf(plain.complete(request))).reason).toBe('tls')
  await using refused = providerOf('http://127.0.0.1:1/v1')
  expect((await failureOf(refused.complete(request))).reason).toBe('connection')
  await using unknown = providerOf('http://no-such-host.invalid/v1')
  expect((await failureOf(unknown.complete(request))).reason).toBe('dns')
})

test('cancelling ends the call and closes the connection', async () => {
  const closed = Promise.withResolvers<void>()
  await using server = await serve((response) => {
    openStream(response)
    response.write(chunk({ content: 'a' }))
    response.on('close', closed.resolve)
  })
  await using upstream = providerOf(server.baseUrl)
  const stop = new AbortController()
  const parts: StreamPart[] = []
  for await (const part of upstream.stream(request, { signal: stop.signal })) {
    parts.push(part)
    if (part.type === 'text') stop.abort()
  }
  expect(parts.at(-1)).toMatchObject({
    type: 'error',
    error: { code: 'turn/cancelled' },
    partial: { text: 'a' },
  })
  await closed.promise
  const again = await failureOf(upstream.complete(request, { signal: stop.signal }))
  expect(again.code).toBe('turn/cancelled')
  expect(server.requests).toHaveLength(1)
})

test('leaving the loop early cancels the request', async () => {
  const closed = Promise.withResolvers<void>()
  await using server = await serve((response) => {
    openStream(response)
    response.write(chunk({ content: 'a' }))
    response.on('close', closed.resolve)
  })
  await using upstream = providerOf(server.baseUrl)
  for await (const part of upstream.stream(request)) if (part.type === 'text') break
  await closed.promise
})

test('H1: a redirect is an error and is not followed', async () => {
  await using server = await serve((response) => response.writeHead(302, { location: '/elsewhere' }).end())
  await using upstream = providerOf(server.baseUrl)
  expect(await failureOf(upstream.complete(request))).toMatchObject({ code: 'unknown/unknown', status: 302 })
  expect(server.requests).toHaveLength(1)
})

test('H2: a request on an idle connection that the upstream had closed is sent once more', async () => {
  await using server = await serve((response, attempt) => {
    if (attempt === 1) response.socket?.destroy()
    else answerStream(response, attempt)
  })
  await using upstream = providerOf(server.baseUrl)
  await upstream.complete(request)
  await nextTurn()
  expect((await upstream.complete(request)).text).toBe('Hello')
  expect(server.requests).toHaveLength(3)
})

test('H2: a request on a fresh connection is not sent twice', async () => {
  await using server = await serve((response) => response.socket?.destroy())
  await using upstream = providerOf(server.baseUrl)
  expect((await failureOf(upstream.complete(request))).reason).toBe('connection')
  expect(server.requests).toHaveLength(1)
})

const encodings: [string, (text: string) => Buffer][] = [
  ['gzip', gzipSync],
  ['br', brotliCompressSync],
]

test.each(encodings)(
  'a body that is compressed as %s though we asked for none is read',
  async (encoding, compress) => {
    await using server = await serve((response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream', 'content-encoding': encoding })
      response.end(compress(chunk({ content: 'packed' }, 'stop')))
    })
    await using upstream = providerOf(server.baseUrl)
    expect((await upstream.complete(request)).text).toBe('packed')
  },
)

test('a body that is not compressed as it says, is cut, or swells beyond measure is an error', async () => {
  const packed = gzipSync(JSON.stringify(completion({ content: 'x'.repeat(2000) })))
  const bomb = gzipSync(Buffer.alloc(20_000_000, ' '))
  const send =
    (body: string | Buffer): Answer =>
    (response) =>
      response.writeHead(200, { 'content-type': 'application/json', 'content-encoding': 'gzip' }).end(body)
  expect((await failureFrom(send('{"choices":[]}'))).reason).toBe('binary_payload')
  expect((await failureFrom(send(packed.subarray(0, packed.length >> 1)))).reason).toBe('truncated_stream')
  expect((await failureFrom(send(bomb))).category).toBe('server')
})

test('R1: a failure that may pass is tried again, and both attempts are told', async () => {
  await using server = await serve((response, attempt) => {
    if (attempt === 0) response.writeHead(503, { 'retry-after': '0' }).end()
    else answerStream(response, attempt)
  })
  await using upstream = providerOf(server.baseUrl, { retries: 1 })
  expect((await upstream.complete(request)).text).toBe('Hello')

  const error = await failureFrom((r) => r.writeHead(500, { 'retry-after': '0' }).end(), { retries: 2 })
  expect(error.attempts.map(({ code }) => code)).toEqual(Array(3).fill('server/server_error'))
})

test('R1: nothing is tried again after the commit point, nor where it is useless', async () => {
  const cut: Answer = (response) => {
    openStream(response)
    response.end(chunk({ content: 'half' }))
  }
  expect((await failureFrom(cut, { retries: 3 })).attempts).toHaveLength(1)
  expect((await failureFrom((r) => sendJson(r, {}, 401), { retries: 3 })).attempts).toHaveLength(1)
})

test('R2: unreadable events make the call fall back to a JSON answer, once', async () => {
  await using server = await serve((response, attempt) => {
    if (attempt > 0) return sendJson(response, completion({ content: 'plain' }))
    openStream(response)
    response.end('data: {nope\n\n')
  })
  await using upstream = providerOf(server.baseUrl)
  expect((await upstream.complete(request)).text).toBe('plain')
  expect(server.requests.map(({ body }) => JSON.parse(body).stream)).toEqual([true, false])
})

test('auto asks for a stream except where the request has tools', async () => {
  await using server = await serve((response) => sendJson(response, completion({ content: 'ok' })))
  await using upstream = providerOf(server.baseUrl, { stream: 'auto' })
  await upstream.complete(request)
  await upstream.complete({ ...request, tools: [{ name: 'f', description: '', inputSchema: {} }] })
  expect(server.requests.map(({ body }) => JSON.parse(body).stream)).toEqual([true, false])
})

test('an error tells status, request id and wait, and never the key', async () => {
  const error = await failureFrom((response) => {
    response.setHeader('x-request-id', 'req-7')
    response.setHeader('retry-after', '3')
    sendJson(response, { error: { message: 'Limit for key k3y-value reached' } }, 429)
  })
  expect(error).toMatchObject({
    code: 'rate_limit/rate_limited',
    status: 429,
    requestId: 'req-7',
    retryAfterMs: 3000,
  })
  expect(JSON.stringify(error) + error.message).not.toContain('k3y-value')
})

test('an upstream that does not speak HTTP is an error', async () => {
  const server = createServer((socket) => void socket.on('error', () => {}).end('hello there\r\n\r\n'))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  // A listening TCP server has an address of this shape.
  const { port } = server.address() as AddressInfo
  await using upstream = providerOf(`http://127.0.0.1:${port}`)
  expect(['server', 'network']).toContain((await failureOf(upstream.complete(request))).category)
  server.close()
})

test('options that cannot work are refused when the provider is made', () => {
  const make = (options: object) => () => providerOf('http://127.0.0.1/v1', options)
  expect(make({ protocol: 'soap' })).toThrow(/unknown protocol "soap": expected one of openai-chat/)
  expect(make({ dialect: 'klingon' })).toThrow(/unknown dialect "klingon"/)
  expect(make({ baseUrl: 'localhost:8080' })).toThrow(/baseUrl must be an absolute http or https URL/)
})
