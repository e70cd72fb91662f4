/** What each setting of a provider changes, over real HTTP. */

import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { loadConfig } from '../../src/config/load.ts'
import { TurnkeeperError } from '../../src/errors.ts'
import { openProviderRuntime } from '../../src/providers/runtime.ts'
import type { ModelRequest } from '../../src/providers/types.ts'
import { closeRedis, connectRedis, type RedisConnection } from '../../src/redis/connection.ts'
import type { RedisServer } from '../../src/redis/embedded.ts'
import { startAnyRedis } from '../redis-servers.ts'
import { recordingTelemetry } from './routing/scripted.ts'
import { completion, sendJson, serve, type UpstreamServer } from './upstream-server.ts'

const hello: ModelRequest = { model: 'coder', messages: [{ role: 'user', content: 'Hello.' }] }
const tools = [{ name: 'look', description: 'looks', inputSchema: { type: 'object' } }]

let redisServer: RedisServer
let command: RedisConnection
let subscriber: RedisConnection
let count = 0

beforeAll(async () => {
  redisServer = await startAnyRedis()
  command = await connectRedis(redisServer.url)
  subscriber = await connectRedis(redisServer.url, { role: 'subscriber' })
})
afterAll(async () => {
  await closeRedis(command)
  await closeRedis(subscriber)
  await redisServer.close()
})

async function open(upstream: UpstreamServer, settings: object = {}) {
  const config = await loadConfig({
    redis: { prefix: `settings${count++}` },
    providers: { up: { protocol: 'openai-chat', dialect: 'openai', baseUrl: upstream.baseUrl, ...settings } },
    models: { coder: { routes: ['up/gpt-5-mini'] } },
  })
  const telemetry = recordingTelemetry()
  const runtime = await openProviderRuntime(config, { redis: { command, subscriber }, telemetry })
  return { runtime, telemetry, run: (request: ModelRequest) => runtime.run(request, () => {}) }
}

const answering = (): Promise<UpstreamServer> =>
  serve((response) => sendJson(response, completion({ role: 'assistant', content: 'Hi.' })))
const bodies = ({ requests }: UpstreamServer): Record<string, unknown>[] =>
  requests.filter(({ body }) => body !== '').map(({ body }) => JSON.parse(body))

describe('toolTurns', () => {
  test.each([
    [undefined, false],
    [{ stream: 'auto' }, false],
    [{ stream: false }, false],
    [{ stream: true }, true],
    [{ stream: true, routes: { 'gpt-5-mini': false } }, false],
    [{ stream: false, routes: { other: true } }, false],
  ])('%j: a request with tools is streamed: %s; one without always is', async (toolTurns, stream) => {
    await using upstream = await answering()
    const { runtime, run } = await open(upstream, { ...(toolTurns && { toolTurns }) })
    await using _closing = runtime
    const { attempts } = await run({ ...hello, tools })
    await run(hello)
    expect(bodies(upstream).map((body) => body.stream)).toEqual([stream, true])
    expect(attempts).toMatchObject([{ streamed: stream, ...(!stream && { policy: ['tool_turn'] }) }])
  })
})

describe('jsonMode.fallback', () => {
  const refusing = (): Promise<UpstreamServer> =>
    serve((response, before) => {
      if (before > 0) return sendJson(response, completion({ role: 'assistant', content: '{}' }))
      const error = {
        message: "'response_format' of type 'json_object' is not supported",
        type: 'invalid_request_error',
      }
      sendJson(response, { error }, 400)
    })
  const asJson: ModelRequest = { ...hello, responseFormat: { type: 'json' } }

  test('on: a route that refuses the format is asked again in plain words, and that is told', async () => {
    await using upstream = await refusing()
    const { runtime, run } = await open(upstream)
    await using _closing = runtime
    const { outcome, attempts, decisions } = await run(asJson)
    expect(outcome).toBe('ok')
    expect(attempts[1]).toMatchObject({ outcome: 'ok', policy: ['json_fallback'] })
    expect(decisions).toMatchObject([{ type: 'retry', policy: 'json_fallback' }])
    const [first, second] = bodies(upstream)
    expect(first).toHaveProperty('response_format')
    expect(second).not.toHaveProperty('response_format')
    expect(JSON.stringify(second?.messages)).toContain('Answer with one JSON value')
  })

  test('off: it is not', async () => {
    await using upstream = await refusing()
    const { runtime, run } = await open(upstream, { jsonMode: { fallback: false } })
    await using _closing = runtime
    expect(await run(asJson)).toMatchObject({ outcome: 'failed', attempts: [{}] })
    expect(bodies(upstream)).toHaveLength(1)
  })
})

describe('parameters', () => {
  const withTopK: ModelRequest = { ...hello, parameters: { topK: 5 } }

  test('unknown: reject refuses before anything is sent', async () => {
    await using upstream = await answering()
    const { runtime, run } = await open(upstream)
    await using _closing = runtime
    const { error, attempts } = await run(withTopK)
    expect(error?.code).toBe('bad_request/invalid_parameter')
    expect([attempts, bodies(upstream)]).toEqual([[], []])
  })

  test('unknown: warn sends without, and tells it in the attempt and the log', async () => {
    await using upstream = await answering()
    const { runtime, run, telemetry } = await open(upstream, { parameters: { unknown: 'warn' } })
    await using _closing = runtime
    const { outcome, attempts } = await run(withTopK)
    expect([outcome, attempts[0]?.notSent]).toEqual(['ok', ['topK']])
    expect(telemetry.lines.join()).toContain('"not_sent":["topK"]')
  })

  test('defaults are sent where the request says nothing', async () => {
    await using upstream = await answering()
    const { runtime, run } = await open(upstream, {
      parameters: { defaults: { maxTokens: 77, temperature: 0.5 } },
    })
    await using _closing = runtime
    await run({ ...hello, parameters: { temperature: 1 } })
    expect(bodies(upstream)).toMatchObject([{ max_completion_tokens: 77, temperature: 1 }])
  })

  test('defaults that the vendor would refuse are refused at the start', async () => {
    await using upstream = await answering()
    const opening = open(upstream, { parameters: { defaults: { max_tokens: 5 } } })
    await expect(opening).rejects.toThrow(TurnkeeperError)
    await expect(opening).rejects.toThrow(
      'providers.up.parameters.defaults.max_tokens: unknown parameter, a vendor\'s name for "maxTokens"',
    )
  })
})

test('a bare model name is found in the list of the one provider that has it', async () => {
  await using upstream = await serve((response, before) =>
    before === 0
      ? sendJson(response, { data: [{ id: 'bare-model', context_length: 5000 }] })
      : sendJson(response, completion({ role: 'assistant', content: 'Hi.' })),
  )
  const { runtime, run } = await open(upstream)
  await using _closing = runtime
  expect(await run({ ...hello, model: 'bare-model' })).toMatchObject({
    outcome: 'ok',
    route: 'up/bare-model',
  })
  expect(upstream.requests[0]?.url).toBe('/v1/models')
  expect(runtime.capabilities('up/bare-model')?.contextWindow).toBe(5000)
})

test('a request can be estimated before it is sent', async () => {
  await using upstream = await answering()
  const { runtime } = await open(upstream)
  await using _closing = runtime
  const { route, tokens, cost } = await runtime.estimate({ ...hello, parameters: { maxTokens: 1000 } })
  expect([route, tokens.isExact]).toEqual(['up/gpt-5-mini', true])
  expect(cost?.mostUsd).toBeCloseTo(0.002, 4)
  expect(bodies(upstream)).toEqual([])
})
