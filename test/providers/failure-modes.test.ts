/** The 46 ways in which upstreams were seen to fail in public, each on a fixture of ours, over a real connection. */

import { setTimeout as sleep } from 'node:timers/promises'
import { gzipSync } from 'node:zlib'
import { describe, expect, test } from 'vitest'

import { createProvider } from '../../src/providers/provider.ts'
import { ask, body, callOf, stream } from './calls.ts'
import { chunk, completion, event, openStream, serve } from './upstream-server.ts'

const done = event('[DONE]')
const hello = chunk({ content: 'Hel' }) + chunk({ content: 'lo' }) + chunk({}, 'stop') + done
const page = '<!DOCTYPE html><html><head><title>Sign in</title></head><body>portal</body></html>'
const json = (value: unknown, status = 200, headers: object = {}) =>
  body(JSON.stringify(value), 'application/json', status, headers)
const errorOf = (message: string, more: object = {}) => ({ error: { message, ...more } })
const timeouts = { connectMs: 500, headersMs: 2000, firstContentMs: 2000, idleMs: 2000, totalMs: 5000 }

describe('pages instead of answers', () => {
  test('F1 a 200 with HTML, as a wrong base URL gives it, is an error without the page in it', async () => {
    const { error, types } = await callOf(body(page, 'text/html'))
    expect(error?.code).toBe('server/html_payload')
    expect(error?.message).not.toContain('<')
    expect(types).toEqual(['error'])
  })

  test.each(['application/json', 'text/event-stream', undefined])(
    'F2 HTML labelled %s breaks no parser',
    async (label) => {
      const { error } = await callOf(body(page, label))
      expect(error?.code).toBe('server/html_payload')
      const late = await callOf(stream(chunk({ content: 'a' }), page))
      expect(late.error?.category).toMatch(/server|network/)
      expect(late.answer.text).toBe('a')
    },
  )

  test.each([520, 521, 522, 523, 524])(
    'F3 the page of Cloudflare with a %i is tried again',
    async (status) => {
      const failing = await callOf(body(page, 'text/html', status))
      expect(failing.error).toMatchObject({ code: 'server/html_payload', retryable: true, status })
    },
  )
})

describe('comments and labels', () => {
  test('F4 comments of a router while it waits are no events', async () => {
    const comment = ': OPENROUTER PROCESSING\n\n'
    const { answer } = await callOf(stream(comment, comment, chunk({ content: 'a' }), comment, hello))
    expect(answer.text).toBe('aHello')
  })

  test('F5 the same comment before a JSON body is skipped', async () => {
    const text = `: OPENROUTER PROCESSING\n\n${JSON.stringify(completion({ content: 'ok' }))}`
    expect((await callOf(body(text, 'application/json'), { stream: false })).answer.text).toBe('ok')
  })

  test('F6 events without a Content-Type are read', async () => {
    expect((await callOf(body(hello))).answer.text).toBe('Hello')
  })

  test.each([true, false])('F7 events labelled JSON are read (stream asked for: %s)', async (asked) => {
    expect((await callOf(body(hello, 'application/json'), { stream: asked })).answer.text).toBe('Hello')
  })

  test('F8 a JSON answer to a stream request gives the same parts', async () => {
    const { types, answer } = await callOf(json(completion({ content: 'ok' })))
    expect(types).toEqual(['start', 'text', 'finish'])
    expect(answer.text).toBe('ok')
  })
})

describe('success that is none', () => {
  test('F9 an error chunk beside empty choices is an error', async () => {
    const failure = event({ choices: [], ...errorOf('upstream died', { code: 502 }) })
    const { error, answer } = await callOf(stream(chunk({ content: 'a' }), failure, done))
    expect(error?.code).toBe('server/server_error')
    expect(answer.text).toBe('a')
  })

  test('F10 the finish reason "error" is an error', async () => {
    const { error } = await callOf(stream(chunk({ content: 'a' }), chunk({}, 'error'), done))
    expect(error?.code).toBe('server/stream_error')
  })

  test('F11 a 200 without choices is an error', async () => {
    expect((await callOf(json({ id: 'c1', object: 'chat.completion' }))).error?.category).toBe('server')
  })

  test('F12 a 200 with empty choices is an error', async () => {
    expect((await callOf(json({ id: 'c1', choices: [] }))).error?.category).toBe('server')
  })

  test.each(['', '\n\n  \r\n'])('F13 an empty body (%j) is an error', async (text) => {
    expect((await callOf(body(text, 'application/json'))).error?.category).toMatch(/server|network/)
  })
})

describe('ends', () => {
  test('F14 an end without finish reason and marker is a truncation that keeps what came', async () => {
    const { error, answer } = await callOf(stream(chunk({ content: 'half' })))
    expect(error?.code).toBe('network/truncated_stream')
    expect(answer.text).toBe('half')
  })

  test('F15 the end marker without a finish reason is an end', async () => {
    const { error, answer } = await callOf(stream(chunk({ content: 'a' }), done))
    expect(error).toBeUndefined()
    expect(answer).toMatchObject({ text: 'a', finishReason: 'other', rawFinishReason: null })
  })

  test('F16 an empty finish reason in every chunk ends nothing', async () => {
    const { answer } = await callOf(
      stream(chunk({ content: 'a' }, ''), chunk({ content: 'b' }, ''), chunk({}, 'stop'), done),
    )
    expect(answer).toMatchObject({ text: 'ab', finishReason: 'stop' })
    expect((await callOf(stream(chunk({ content: 'a' }, '')))).error?.reason).toBe('truncated_stream')
  })

  test('F17 a Responses stream without its last event is a truncation, with an end marker too', async () => {
    const begun = [
      {
        type: 'response.created',
        response: { id: 'r1', model: 'm-2026', status: 'in_progress', output: [] },
      },
      { type: 'response.output_text.delta', output_index: 0, item_id: 'i1', delta: 'half' },
      { type: 'response.output_text.done', output_index: 0, item_id: 'i1', text: 'half' },
      {
        type: 'response.output_item.done',
        output_index: 0,
        item: { id: 'i1', type: 'message', content: [] },
      },
    ].map(event)
    for (const ending of [[], [done]]) {
      const { error, answer } = await callOf(stream(...begun, ...ending), { protocol: 'openai-responses' })
      expect(error?.code).toBe('network/truncated_stream')
      expect(answer.text).toBe('half')
    }
  })
})

const call = (more: object, args: string) => ({ ...more, function: { ...fn(more), arguments: args } })
const fn = (more: object) => ('id' in more || 'named' in more ? { name: 'look' } : {})

describe('tool calls', () => {
  test('F18 a tool delta without an id gets one', async () => {
    const { answer } = await callOf(
      stream(
        chunk({ tool_calls: [call({ index: 0, named: true }, '{"a"')] }),
        chunk({ tool_calls: [call({ index: 0 }, ':1}')] }, 'tool_calls'),
        done,
      ),
    )
    expect(answer.toolCalls).toEqual([{ id: expect.stringMatching(/./), name: 'look', input: { a: 1 } }])
  })

  test('F19 tool deltas without an index are kept apart by their ids', async () => {
    const { answer } = await callOf(
      stream(
        chunk({ tool_calls: [call({ id: 'x' }, '{"n":1}')] }),
        chunk({ tool_calls: [call({ id: 'y' }, '{"n":2}')] }, 'tool_calls'),
        done,
      ),
    )
    expect(answer.toolCalls.map(({ id, input }) => [id, input])).toEqual([
      ['x', { n: 1 }],
      ['y', { n: 2 }],
    ])
  })

  test('F20 two calls under one id are two calls with two ids', async () => {
    const { answer } = await callOf(
      stream(
        chunk({ tool_calls: [call({ index: 0, id: 'x' }, '{"n":1}')] }),
        chunk({ tool_calls: [call({ index: 1, id: 'x' }, '{"n":2}')] }, 'tool_calls'),
        done,
      ),
    )
    expect(answer.toolCalls.map(({ input }) => input)).toEqual([{ n: 1 }, { n: 2 }])
    expect(new Set(answer.toolCalls.map(({ id }) => id)).size).toBe(2)
  })
})

const usage = (inputs: number, outputs: number) => ({
  usage: { prompt_tokens: inputs, completion_tokens: outputs, total_tokens: inputs + outputs },
})

describe('usage and odd content', () => {
  test('F21 usage after the finish, beside empty choices, counts', async () => {
    const { answer } = await callOf(
      stream(chunk({ content: 'a' }, 'stop'), event({ choices: [], ...usage(3, 4) }), done),
    )
    expect(answer.usage).toMatchObject({ inputTokens: 3, outputTokens: 4, totalTokens: 7 })
  })

  test('F22 zero usage on every chunk gives way to the real one, and is not added up', async () => {
    const zero = { choices: [{ index: 0, delta: { content: 'a' } }], ...usage(0, 0) }
    const { answer, types } = await callOf(
      stream(event(zero), event(zero), chunk({}, 'stop'), event({ choices: [], ...usage(3, 4) }), done),
    )
    expect(answer.usage).toMatchObject({ inputTokens: 3, outputTokens: 4 })
    expect(types.filter((type) => type === 'usage')).toHaveLength(1)
  })

  test('F23 usage is asked for in a stream, and its absence is no zero', async () => {
    const { requests, answer, types } = await callOf(stream(hello))
    expect(JSON.parse(requests[0]?.body ?? '')).toMatchObject({ stream_options: { include_usage: true } })
    expect(answer.usage).toBeNull()
    expect(types).not.toContain('usage')
  })

  test('F24 null content with reasoning alone is an answer', async () => {
    const { answer, error } = await callOf(json(completion({ content: null, reasoning_content: 'hm' })))
    expect(error).toBeUndefined()
    expect(answer).toMatchObject({ text: '', reasoning: { text: 'hm' }, finishReason: 'stop' })
  })

  test('F25 a filter chunk of Azure without choices or delta is passed over', async () => {
    const { answer } = await callOf(
      stream(
        event({ choices: [], prompt_filter_results: [{ prompt_index: 0 }], model: '' }),
        chunk({ content: 'a' }),
        event({ choices: [{ index: 0, finish_reason: null, content_filter_offsets: { start_offset: 1 } }] }),
        chunk({}, 'stop'),
        done,
      ),
    )
    expect(answer).toMatchObject({ text: 'a', finishReason: 'stop', model: 'm-2026' })
  })
})

describe('errors inside a 200', () => {
  test('F26 an error after metadata alone is an error before the commit point', async () => {
    const { types, error } = await callOf(
      stream(event({ choices: [], prompt_filter_results: [] }), event(errorOf('no capacity', { code: 503 }))),
    )
    expect(types).toEqual(['error'])
    expect(error?.category).toBe('server')
  })

  test('F27 a context error of llama.cpp after its 200 is one', async () => {
    const said = { code: 400, message: 'request (610 tokens) exceeds the available context size' }
    const { error } = await callOf(stream(`error: ${JSON.stringify(said)}\n\n`))
    expect(error?.code).toBe('bad_request/context_length')
  })

  test('F28 a llama.cpp that still loads its model is tried again', async () => {
    const { error } = await callOf(json(errorOf('Loading model', { code: 503 }), 503))
    expect(error).toMatchObject({ code: 'server/loading', retryable: true })
  })
})

describe('connections', () => {
  test('F29 slow prefill is ended by our timers alone', async () => {
    const slow = async (response: Parameters<typeof openStream>[0]): Promise<void> => {
      await sleep(600)
      openStream(response)
      await sleep(600)
      response.end(hello)
    }
    expect((await callOf((response) => void slow(response), { timeouts })).answer.text).toBe('Hello')
    const { error } = await callOf((response) => void slow(response), {
      timeouts: { ...timeouts, idleMs: 200 },
    })
    expect(error?.code).toBe('network/stall')
    expect(error?.cause).toBeUndefined()
  })

  test('F30 a connection that the upstream dropped while it was idle costs no answer', async () => {
    await using server = await serve((response) => response.end(hello))
    await using provider = createProvider({
      ...{ protocol: 'openai-chat', baseUrl: server.baseUrl, model: 'm', retries: 0 },
    })
    await provider.complete(ask)
    await sleep(10)
    for (const socket of server.sockets) socket.resetAndDestroy()
    expect((await provider.complete(ask)).text).toBe('Hello')
  })

  test('F31 an encoding label on a body that is decoded already is an error, not an empty answer', async () => {
    const { error } = await callOf(body(hello, 'text/event-stream', 200, { 'content-encoding': 'gzip' }))
    expect(error?.code).toBe('server/binary_payload')
  })

  test('F32 gzip without a label is told from an answer', async () => {
    const { error } = await callOf(body(gzipSync(hello), 'text/event-stream'))
    expect(error?.code).toBe('server/binary_payload')
  })
})

describe('framing', () => {
  test('F33 a character that is split over two reads comes out whole', async () => {
    const bytes = Buffer.from(chunk({ content: 'naïve 日本 🙂' }) + chunk({}, 'stop') + done)
    const at = bytes.indexOf(0xf0) + 2
    const { answer } = await callOf(stream(bytes.subarray(0, at), bytes.subarray(at)))
    expect(answer.text).toBe('naïve 日本 🙂')
  })

  test('F34 CRLF ends lines too', async () => {
    expect((await callOf(stream(hello.replaceAll('\n', '\r\n')))).answer.text).toBe('Hello')
  })

  test('F35 "data:" needs no space', async () => {
    expect((await callOf(stream(hello.replaceAll('data: ', 'data:')))).answer.text).toBe('Hello')
  })

  test('F36 a byte order mark is no part of the first line', async () => {
    expect((await callOf(stream(`\ufeff${hello}`))).answer.text).toBe('Hello')
  })

  test('F37 an event that comes in many reads is one event', async () => {
    const pieces = hello.match(/[\s\S]{1,9}/g) ?? []
    expect((await callOf(stream(...pieces))).answer.text).toBe('Hello')
  })
})

describe('limits', () => {
  const limited = (headers: object, status = 429) => json(errorOf('slow down'), status, headers)

  test('F38 Retry-After is a date or seconds, and nonsense is no number', async () => {
    const date = new Date(Date.now() + 20_000).toUTCString()
    const dated = (await callOf(limited({ 'retry-after': date }))).error?.retryAfterMs ?? 0
    expect(dated).toBeGreaterThan(15_000)
    expect(dated).toBeLessThanOrEqual(21_000)
    expect((await callOf(limited({ 'retry-after': '2026' }))).error?.retryAfterMs).toBe(2_026_000)
    expect((await callOf(limited({ 'retry-after': 'soon' }))).error?.retryAfterMs).toBeUndefined()
  })

  test('F39 resets are read as durations and as times', async () => {
    const openai = { 'x-ratelimit-remaining-tokens': '0', 'x-ratelimit-reset-tokens': '6m0s' }
    expect((await callOf(limited(openai))).error?.retryAfterMs).toBe(360_000)
    const reset = new Date(Date.now() + 60_000).toISOString()
    const anthropic = {
      'anthropic-ratelimit-requests-remaining': '0',
      'anthropic-ratelimit-requests-reset': reset,
    }
    const wait = (await callOf(limited(anthropic))).error?.retryAfterMs ?? 0
    expect(wait).toBeGreaterThan(50_000)
    expect(wait).toBeLessThanOrEqual(60_000)
  })

  test('F40 overload is one as a 529 and inside a 200', async () => {
    const overloaded = errorOf('Overloaded', { type: 'overloaded_error' })
    expect((await callOf(json(overloaded, 529))).error?.code).toBe('server/overloaded')
    const late = await callOf(stream(chunk({ content: 'a' }), event(overloaded)))
    expect(late.error?.code).toBe('server/overloaded')
  })

  test('F41 a 402 is a used-up quota, with Retry-After and without', async () => {
    expect((await callOf(limited({}, 402))).error?.code).toBe('rate_limit/quota_exhausted')
    const { error } = await callOf(limited({ 'retry-after': '30' }, 402))
    expect(error).toMatchObject({ code: 'rate_limit/quota_exhausted', retryAfterMs: 30_000 })
  })

  test('F42 a 401 sends the call elsewhere, and is not tried again here: it may be an outage', async () => {
    const { error, requests } = await callOf(json(errorOf('User not found'), 401), { retries: 2 })
    expect(error).toMatchObject({ code: 'auth/invalid_key', retryable: true })
    expect(requests).toHaveLength(1)
  })

  test('F43 a 404 for want of an endpoint with tools is a missing capability', async () => {
    const { error } = await callOf(json(errorOf('No endpoints found that support tool use.'), 404))
    expect(error).toMatchObject({ code: 'not_found/capability_missing', retryable: true })
  })

  test('F44 a refused JSON mode is told as what it is', async () => {
    const said = errorOf("'response_format' of type json_object is not supported", {
      code: 'unsupported_parameter',
    })
    const request = { ...ask, responseFormat: { type: 'json' } } as const
    const { error } = await callOf(json(said, 400), { request })
    expect(error).toMatchObject({ code: 'bad_request/invalid_parameter', retryable: false })
    expect(error?.excerpt).toContain('response_format')
  })

  test('F45 the 413 page of an edge is a request too large', async () => {
    const { error } = await callOf(body(page, 'text/html', 413, { server: 'cloudflare' }))
    expect(error?.code).toBe('bad_request/too_large')
    expect(error?.message).not.toContain('<')
  })

  test('F46 a proxy that holds a stream back is waited for within the timers, and not beyond', async () => {
    const muted = (ms: number) => async (response: Parameters<typeof openStream>[0]) => {
      openStream(response)
      await sleep(ms)
      response.end(hello)
    }
    const late = muted(400)
    expect((await callOf((r) => void late(r), { timeouts })).answer.text).toBe('Hello')
    const startedAt = Date.now()
    const never = muted(3000)
    const { error } = await callOf((r) => void never(r), { timeouts: { ...timeouts, idleMs: 150 } })
    expect(error?.code).toBe('network/stall')
    expect(Date.now() - startedAt).toBeLessThan(1500)
  })
})
