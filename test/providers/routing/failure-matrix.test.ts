/**
 * Every failure mode × {before, after the commit point} × {queue, direct}, over real connections and real Redis: a
 * failure before the commit point is invisible, one after it restarts the step of a queued turn and fails a direct call
 * in band; no reader ever sees a text twice.
 */

import { mkdtempSync, rmSync } from 'node:fs'
import type { ServerResponse } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { loadConfig } from '../../../src/config/load.ts'
import type { EngineOptions } from '../../../src/providers/routing/engine-types.ts'
import { openProviderRuntime } from '../../../src/providers/runtime.ts'
import type { StreamPart } from '../../../src/providers/types.ts'
import { closeRedis, connectRedis, type RedisConnection } from '../../../src/redis/connection.ts'
import type { RedisServer } from '../../../src/redis/embedded.ts'
import { startAnyRedis } from '../../redis-servers.ts'
import { type Answer, chunk, event, serve, type UpstreamServer } from '../upstream-server.ts'

/** How the two ways in call the engine: `src/runtime/worker/call-through.ts`, and the HTTP face. */
const QUEUE: EngineOptions = { afterCommit: 'restart', whenAllOpen: 'wait' }
const DIRECT: EngineOptions = {}

const PAGE = '<!DOCTYPE html><html><body>portal</body></html>'
const BEGUN = chunk({ content: 'The answer ' }) + chunk({ content: 'begins' })
const WHOLE = 'A whole answer.'
const GOOD =
  chunk({ content: 'A whole ' }) + chunk({ content: 'answer.' }) + chunk({}, 'stop') + event('[DONE]')

const whole =
  (status: number, type: string, text: string | Uint8Array, headers: object = {}): Answer =>
  (response) =>
    response.writeHead(status, { 'content-type': type, ...headers }).end(text)
const refusal = (status: number, error: object, headers: object = {}): Answer =>
  whole(status, 'application/json', JSON.stringify({ error }), headers)
const sse = (response: ServerResponse, text = ''): void => {
  response.writeHead(200, { 'content-type': 'text/event-stream' }).flushHeaders()
  if (text !== '') response.write(text)
}
/** A stream that begins with `text`, and then. */
const streamThen =
  (text: string, then: (response: ServerResponse) => void): Answer =>
  (response) => {
    sse(response, text)
    setTimeout(() => then(response), 20)
  }
const ends = (text: string) => (response: ServerResponse) => void response.end(text)
const breaks = (response: ServerResponse): void => void response.socket?.resetAndDestroy()
const hangs = (): void => {}

const ERROR_EVENT = event({ error: { message: 'upstream died', code: 502 } })
const OVERLOADED_EVENT = event({ error: { type: 'overloaded_error', message: 'Overloaded' } })
const BROKEN_CALL =
  chunk({ tool_calls: [{ index: 0, id: 'c', function: { name: 'look', arguments: '{"a":' } }] }) +
  chunk({}, 'tool_calls') +
  event('[DONE]')

/** What fails before anything was handed on, and the reason that the first attempt must give. */
const BEFORE: readonly (readonly [string, string, Answer])[] = [
  ['a page with status 200', 'html_payload', whole(200, 'text/html', PAGE)],
  ['a page labelled as events', 'html_payload', whole(200, 'text/event-stream', PAGE)],
  ['a page of a gateway', 'html_payload', whole(502, 'text/html', PAGE)],
  ['bytes', 'binary_payload', whole(200, 'application/octet-stream', Buffer.from([0, 1, 2, 255, 254, 0, 7]))],
  ['plain words', 'non_json', whole(200, 'application/json', 'Service is starting')],
  ['nothing', 'empty_body', whole(200, 'application/json', '')],
  ['500', 'server_error', refusal(500, { message: 'boom' })],
  ['503', 'overloaded', refusal(503, { message: 'overloaded, try again' })],
  ['529', 'overloaded', refusal(529, { type: 'overloaded_error', message: 'Overloaded' })],
  ['401', 'invalid_key', refusal(401, { message: 'Incorrect API key provided' })],
  ['403', 'forbidden', refusal(403, { message: 'Country not supported' })],
  ['402', 'quota_exhausted', refusal(402, { message: 'Insufficient credits' })],
  ['429', 'rate_limited', refusal(429, { message: 'Rate limit reached' }, { 'retry-after': '60' })],
  ['404', 'model_not_found', refusal(404, { message: 'The model does not exist', code: 'model_not_found' })],
  ['a reset connection', 'connection', (response) => breaks(response)],
  ['no headers', 'timeout_headers', hangs],
  ['a silent stream', 'stall', streamThen('', hangs)],
  ['comments without content', 'timeout_first_content', (response) => comments(response)],
  [
    'a stream that ends before content',
    'truncated_stream',
    streamThen(chunk({ role: 'assistant' }), ends('')),
  ],
  ['an error before content', 'server_error', streamThen('', ends(ERROR_EVENT))],
  ['an overload inside a 200', 'overloaded', streamThen('', ends(OVERLOADED_EVENT))],
]

/** The same after the first words. */
const AFTER: readonly (readonly [string, string, Answer])[] = [
  ['a page', 'sse_parse|non_json|html_payload|truncated_stream', streamThen(BEGUN, ends(PAGE))],
  ['an event that is no JSON', 'sse_parse', streamThen(BEGUN, ends('data: {"choices": [nonsense\n\n'))],
  ['an end without a finish', 'truncated_stream', streamThen(BEGUN, ends(''))],
  ['a reset connection', 'truncated_stream|connection', streamThen(BEGUN, breaks)],
  ['silence', 'stall', streamThen(BEGUN, hangs)],
  ['comments alone', 'timeout_first_content', (response) => comments(response, BEGUN)],
  ['an error', 'server_error', streamThen(BEGUN, ends(ERROR_EVENT))],
  ['an overload', 'overloaded', streamThen(BEGUN, ends(OVERLOADED_EVENT))],
  ['a finish that is an error', 'stream_error|server_error', streamThen(BEGUN, ends(chunk({}, 'error')))],
  ['a tool call that is cut off', 'invalid_tool_arguments', streamThen(BEGUN, ends(BROKEN_CALL))],
]

/** Signs of life for ever, and no content. */
function comments(response: ServerResponse, text = ''): void {
  sse(response, text)
  const beat = setInterval(() => response.write(': PROCESSING\n\n'), 30)
  response.on('close', () => clearInterval(beat))
}

describe('every failure mode, before and after the commit point, queued and direct', () => {
  let redis: RedisConnection
  let subscriber: RedisConnection
  let server: RedisServer
  let count = 0
  const folder = mkdtempSync(join(tmpdir(), 'tk-matrix-'))

  beforeAll(async () => {
    server = await startAnyRedis()
    redis = await connectRedis(server.url)
    subscriber = await connectRedis(server.url, { role: 'subscriber' })
  })
  afterAll(async () => {
    await closeRedis(redis)
    await closeRedis(subscriber)
    await server.close()
    rmSync(folder, { recursive: true, force: true })
  })

  /** One call of an alias whose first route fails as `answer` does, and what a reader sees of it. */
  const run = async (answer: Answer, options: EngineOptions) => {
    const modelOf = (upstream: UpstreamServer, at: number): string =>
      (JSON.parse(upstream.requests[at]?.body ?? '{}') as { model: string }).model
    await using upstream: UpstreamServer = await serve((response, at) =>
      modelOf(upstream, at) === 'bad'
        ? answer(response, at)
        : whole(200, 'text/event-stream', GOOD)(response, at),
    )
    const config = await loadConfig({
      redis: { prefix: `matrix${count++}` },
      recorder: { dir: folder },
      providers: {
        up: {
          protocol: 'openai-chat',
          baseUrl: upstream.baseUrl,
          credentials: [{ id: 'main', apiKey: 'k3y-value' }],
          timeouts: { headers: '300ms', firstContent: '300ms', idle: '200ms', total: '5s' },
        },
        // A key of its own, so that a limit of the first provider is not one of the second.
        well: {
          protocol: 'openai-chat',
          baseUrl: upstream.baseUrl,
          credentials: [{ id: 'other', apiKey: 'k3y-other' }],
        },
      },
      models: { coder: { routes: ['up/bad', 'well/good'] } },
      routing: { backoff: { base: '1ms', max: '10ms' } },
    })
    await using runtime = await openProviderRuntime(config, { redis: { command: redis, subscriber } })
    let shown: StreamPart[] = []
    let restarts = 0
    const outcome = await runtime.run(
      { model: 'coder', messages: [{ role: 'user', content: 'hi' }] },
      (part) => shown.push(part),
      {
        ...options,
        onRestart() {
          restarts++
          shown = [] // as a reader discards the deltas of the step
        },
      },
    )
    const text = shown.map((part) => (part.type === 'text' ? part.delta : '')).join('')
    const types = shown.map(({ type }) => type)
    const endings = types.filter((type) => type === 'finish' || type === 'error')
    return { ...outcome, text, types, restarts, endings, first: outcome.attempts[0] }
  }

  describe.each([
    ['queued', QUEUE],
    ['direct', DIRECT],
  ] as const)('%s', (way, options) => {
    test.each(BEFORE)('%s before the commit point (%s) is not seen', async (_name, reason, answer) => {
      const call = await run(answer, options)
      expect(call.first?.code?.split('/')[1]).toBe(reason)
      expect(call).toMatchObject({ outcome: 'ok', route: 'well/good', text: WHOLE, restarts: 0 })
      expect(call.endings).toEqual(['finish'])
      expect(call.types.filter((type) => type === 'start')).toHaveLength(1)
      expect(call.types[0]).toBe('start')
      expect(call.decisions.at(-1)).toMatchObject({
        type: 'reroute',
        from: 'up/bad',
        to: 'well/good',
        reason,
      })
    })

    test.each(AFTER)(
      `%s after the commit point (%s) ${way === 'queued' ? 'restarts the step' : 'fails loudly, in band'}`,
      async (_name, reasons, answer) => {
        const call = await run(answer, options)
        expect(call.first?.code?.split('/')[1]).toMatch(new RegExp(`^(?:${reasons})$`))
        if (way === 'queued') {
          expect(call).toMatchObject({ outcome: 'ok', route: 'well/good', text: WHOLE, restarts: 1 })
          expect(call.endings).toEqual(['finish'])
          expect(call.types.filter((type) => type === 'start')).toHaveLength(1)
          expect(call.decisions).toMatchObject([{ type: 'restart', from: 'up/bad', to: 'well/good' }])
        } else {
          expect(call).toMatchObject({ outcome: 'failed', route: 'up/bad', restarts: 0 })
          expect(call.text).toBe('The answer begins')
          expect(call.endings).toEqual(['error'])
          expect(call.types.at(-1)).toBe('error')
          expect(call.attempts).toHaveLength(1)
          expect(call.error?.partial).toMatchObject({ text: 'The answer begins', finishReason: null })
        }
      },
    )
  })

  test.each([
    ['invalid_request', 400, { message: 'messages: field required' }],
    ['too_large', 413, { message: 'request too large' }],
  ] as const)(
    'what is wrong with the request itself (%s) is told at once, and asked nowhere else',
    async (reason, status, error) => {
      for (const options of [QUEUE, DIRECT]) {
        const call = await run(refusal(status, error), options)
        expect(call).toMatchObject({ outcome: 'failed', route: 'up/bad', text: '', restarts: 0 })
        expect(call.error?.reason).toBe(reason)
        expect(call.attempts).toHaveLength(1)
        expect(call.types).toEqual(['error'])
      }
    },
  )

  test.each([
    ['seconds', () => '1', 1],
    ['a date', () => new Date(Date.now() + 3_600_000).toUTCString(), 1],
    ['6m0s', () => '6m0s', 1],
    ['RFC 3339', () => new Date(Date.now() + 3_600_000).toISOString(), 1],
    ['eighteen days', () => '1555200', 1],
    ['nonsense', () => 'soon', 2],
    ['nothing', () => undefined, 2],
  ])(
    'Retry-After as %s sends no further request to its route before its time',
    async (_form, value, most) => {
      const header = value()
      const headers = header === undefined ? {} : { 'retry-after': header }
      const call = await run(refusal(503, { message: 'overloaded' }, headers), DIRECT)
      expect(call).toMatchObject({ outcome: 'ok', route: 'well/good', text: WHOLE })
      // Our own backoff is a few milliseconds here, so whoever waits longer is left for the other route.
      expect(call.attempts.filter(({ route }) => route === 'up/bad')).toHaveLength(most)
    },
  )
})
