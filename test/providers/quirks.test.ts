/** Quirks of real upstreams, by their number in the collection, on fixtures of ours: chat completions and transport. */

import { describe, expect, test } from 'vitest'

import { body, callOf, stream } from './calls.ts'
import { chunk, completion, event } from './upstream-server.ts'

const done = event('[DONE]')
const json = (value: unknown, status = 200, headers: object = {}) =>
  body(JSON.stringify(value), 'application/json', status, headers)
const errorOf = (message: string, more: object = {}) => ({ error: { message, ...more } })
const piece = (index: number | undefined, text: string | null, more: object = {}) => {
  const { id, name, ...rest } = { id: undefined, name: undefined, ...more }
  const called = { ...(name !== undefined && { name }), arguments: text }
  return { ...(index !== undefined && { index }), ...(id !== undefined && { id }), function: called, ...rest }
}
const calls = (...pieces: object[]) => chunk({ tool_calls: pieces })
const counts = (input: number, output: number) => ({
  usage: { prompt_tokens: input, completion_tokens: output, total_tokens: input + output },
})

describe('events', () => {
  test('Q1 comments anywhere are no events, and keep the connection alive', async () => {
    const pings = Array.from({ length: 8 }, () => ': keep-alive\n\n')
    const { answer } = await callOf(
      stream(...pings, chunk({ content: 'a' }), ...pings, chunk({}, 'stop'), done),
    )
    expect(answer.text).toBe('a')
  })

  test('Q2 a failure in a field called "error:" ends in an error that keeps the text', async () => {
    const failure = 'error: {"code":500,"message":"slot died","type":"server_error"}\n\n'
    const { error, answer } = await callOf(stream(chunk({ content: 'so far' }), failure))
    expect(error?.category).toBe('server')
    expect(answer.text).toBe('so far')
  })

  test('Q3 an error beside choices counts, after a finish reason too', async () => {
    const late = {
      choices: [{ index: 0, delta: {}, finish_reason: 'length' }],
      ...errorOf('cut', { code: 502 }),
    }
    const { error } = await callOf(stream(chunk({ content: 'a' }, 'length'), event(late), done))
    expect(error?.code).toBe('server/server_error')
  })

  test('Q4 an error as the only event is no empty answer', async () => {
    const failure = errorOf('Failed to call a function', {
      type: 'invalid_request_error',
      code: 'tool_use_failed',
    })
    const { error, types } = await callOf(stream(event(failure), done))
    expect(error?.category).toBe('bad_request')
    expect(types).toEqual(['error'])
  })

  test('Q5 a broken tool call that is given back with a 400 is a bad request', async () => {
    const failure = errorOf('Failed to call a function.', {
      code: 'tool_use_failed',
      failed_generation: '<function=look>{"a":</function>',
    })
    expect((await callOf(json(failure, 400))).error?.category).toBe('bad_request')
  })

  test('Q6 a last chunk with usage and no choice gives the usage', async () => {
    const { answer } = await callOf(
      stream(chunk({ content: 'a' }, 'stop'), event({ choices: [], ...counts(5, 6) }), done),
    )
    expect(answer.usage).toMatchObject({ inputTokens: 5, outputTokens: 6 })
  })

  test('Q7 a first chunk with filter results and an empty model is passed over', async () => {
    const first = event({ choices: [], model: '', id: '', prompt_filter_results: [{ prompt_index: 0 }] })
    const { answer } = await callOf(stream(first, chunk({ content: 'a' }, 'stop'), done))
    expect(answer).toMatchObject({ text: 'a', model: 'm-2026' })
  })
})

describe('content', () => {
  const parts = [
    { type: 'thinking', thinking: [{ type: 'text', text: 'hm' }] },
    { type: 'text', text: 'yes' },
    { type: 'reference', reference_ids: [1] },
  ]

  test('Q8 content as a list of parts is text and reasoning, in a stream', async () => {
    const { answer } = await callOf(stream(chunk({ content: parts }), chunk({ content: '!' }, 'stop'), done))
    expect(answer).toMatchObject({ text: 'yes!', reasoning: { text: 'hm' } })
  })

  test('Q9 and in a whole answer', async () => {
    const { answer } = await callOf(json(completion({ content: parts })), { stream: false })
    expect(answer).toMatchObject({ text: 'yes', reasoning: { text: 'hm' } })
  })

  test('Q16 a first delta without a role is the assistant', async () => {
    const { answer } = await callOf(stream(chunk({ content: 'a' }), chunk({}, 'stop'), done))
    expect(answer.text).toBe('a')
  })

  test('Q53 null between reasoning and content is no text', async () => {
    const { answer } = await callOf(
      stream(
        chunk({ reasoning_content: 'hm', content: null }),
        chunk({ reasoning_content: null, content: 'yes' }),
        chunk({ content: null }, 'stop'),
        done,
      ),
    )
    expect(answer).toMatchObject({ text: 'yes', reasoning: { text: 'hm' } })
  })

  test('Q54 emoji survive, escaped as a pair and raw, cut at any byte', async () => {
    const escaped = 'data: {"choices":[{"index":0,"delta":{"content":"\\ud83d\\ude42"}}]}\n\n'
    const bytes = Buffer.from(escaped + chunk({ content: '🙂' }, 'stop') + done)
    const cuts = Array.from({ length: bytes.length }, (_, at) => bytes.subarray(at, at + 1))
    expect((await callOf(stream(...cuts))).answer.text).toBe('🙂🙂')
  })

  test('Q64 think tags in the text lose no character, wherever they are split', async () => {
    const pieces = ['<th', 'ink>a < b</th', 'ink>', 'yes <thin'].map((content) => chunk({ content }))
    const { answer } = await callOf(stream(...pieces, chunk({}, 'stop'), done))
    expect(`${answer.reasoning?.text ?? ''}${answer.text}`.replace(/<\/?think>/g, '')).toBe('a < byes <thin')
  })
})

describe('ends', () => {
  test('Q12 an end marker without a finish reason is an end whose reason is unknown', async () => {
    const { answer } = await callOf(stream(chunk({ content: 'a' }), done))
    expect(answer).toMatchObject({ text: 'a', rawFinishReason: null })
  })

  test('Q13 a finish reason without an end marker is an end', async () => {
    const { answer } = await callOf(stream(chunk({ content: 'a' }), chunk({}, 'stop')))
    expect(answer).toMatchObject({ text: 'a', finishReason: 'stop' })
  })

  test('Q57 the end marker needs no blank line after it', async () => {
    const { answer } = await callOf(stream(chunk({ content: 'a' }), 'data: [DONE]'))
    expect(answer.text).toBe('a')
  })

  test('Q58 an end without any marker is no stop', async () => {
    const { error, types } = await callOf(stream(chunk({ content: 'a' })))
    expect(error?.code).toBe('network/truncated_stream')
    expect(types).not.toContain('finish')
  })

  test('Q62 what comes after the end marker is ignored', async () => {
    const { answer, error } = await callOf(
      stream(chunk({ content: 'a' }, 'stop') + done + chunk({ content: 'b' }) + event(errorOf('late'))),
    )
    expect(error).toBeUndefined()
    expect(answer.text).toBe('a')
  })

  test('Q63 unknown events and fields are ignored', async () => {
    const odd = `event: metrics\n${event({ object: 'future.thing', choices: [] })}x-future: 1\nid: 7\nretry: 5\n\n`
    const { answer } = await callOf(stream(odd, chunk({ content: 'a', future: {} }, 'stop'), odd, done))
    expect(answer.text).toBe('a')
  })
})

describe('usage', () => {
  test('Q14 usage that grows in every chunk counts once, at its last', async () => {
    const growing = [1, 2, 3].map((output) =>
      event({ choices: [{ index: 0, delta: { content: 'a' } }], ...counts(4, output) }),
    )
    const { answer, types } = await callOf(stream(...growing, chunk({}, 'stop'), done))
    expect(answer.usage).toMatchObject({ inputTokens: 4, outputTokens: 3 })
    expect(types.filter((type) => type === 'usage')).toHaveLength(1)
  })

  test('Q15 usage under x_groq counts', async () => {
    const last = { choices: [{ index: 0, delta: {}, finish_reason: 'stop' }], x_groq: counts(7, 8) }
    const { answer } = await callOf(stream(chunk({ content: 'a' }), event(last), done))
    expect(answer.usage).toMatchObject({ inputTokens: 7, outputTokens: 8 })
  })
})

describe('tool calls', () => {
  const end = [chunk({}, 'tool_calls'), done] as const

  test('Q10 deltas without an index are kept apart by id, else by position', async () => {
    const byId = await callOf(
      stream(
        calls(piece(undefined, '{"n":1}', { id: 'a', name: 'f' })),
        calls(piece(undefined, '{"n":2}', { id: 'b', name: 'f' })),
        ...end,
      ),
    )
    expect(byId.answer.toolCalls.map(({ input }) => input)).toEqual([{ n: 1 }, { n: 2 }])
    const byPosition = await callOf(
      stream(
        calls(piece(undefined, '{"n":1}', { name: 'f' }), piece(undefined, '{"n":2}', { name: 'g' })),
        ...end,
      ),
    )
    expect(byPosition.answer.toolCalls.map(({ name, input }) => [name, input])).toEqual([
      ['f', { n: 1 }],
      ['g', { n: 2 }],
    ])
  })

  test('Q11 a whole call in one delta with its finish reason is one call', async () => {
    const whole = chunk({ tool_calls: [piece(0, '{"n":1}', { id: 'a', name: 'f' })] }, 'tool_calls')
    expect((await callOf(stream(whole, done))).answer.toolCalls).toEqual([
      { id: 'a', name: 'f', input: { n: 1 } },
    ])
  })

  test.each([null, '', 'null', ' '])('Q17 arguments that are %j are {}', async (text) => {
    const { answer } = await callOf(stream(calls(piece(0, text, { id: 'a', name: 'f' })), ...end))
    expect(answer.toolCalls).toEqual([{ id: 'a', name: 'f', input: {} }])
  })

  test('Q33 the input of a custom tool is text', async () => {
    const custom = { index: 0, id: 'a', type: 'custom', custom: { name: 'sql', input: 'select 1' } }
    const { answer } = await callOf(stream(calls(custom), ...end))
    expect(answer.toolCalls).toEqual([{ id: 'a', name: 'sql', input: 'select 1' }])
  })

  test('Q34 an id that was used in an earlier answer may come again', async () => {
    const again = stream(calls(piece(0, '{}', { id: 'call_0', name: 'f' })), ...end)
    const [first, second] = [await callOf(again), await callOf(again)]
    expect(first.answer.toolCalls).toEqual(second.answer.toolCalls)
  })

  test('Q35 an empty id is replaced by one of ours', async () => {
    const { answer } = await callOf(stream(calls(piece(0, '{}', { id: '', name: 'f' })), ...end))
    expect(answer.toolCalls[0]?.id).toMatch(/^call_/)
  })

  test('Q36 an empty custom object beside a function is none', async () => {
    const both = piece(0, '{"n":1}', { id: 'a', name: 'f', custom: { name: '', input: '' } })
    const { answer } = await callOf(stream(calls(both), ...end))
    expect(answer.toolCalls).toEqual([{ id: 'a', name: 'f', input: { n: 1 } }])
  })

  test('Q51 choices beside the first are kept out of it', async () => {
    const of = (index: number, content: string, reason: string | null = null) =>
      event({ choices: [{ index, delta: { content }, finish_reason: reason }] })
    const { answer } = await callOf(
      stream(of(0, 'a'), of(1, 'X'), of(0, 'b'), of(1, 'Y', 'length'), of(0, '', 'stop'), done),
    )
    expect(answer).toMatchObject({ text: 'ab', finishReason: 'stop' })
  })

  test('Q52 the function_call deltas of old are one call', async () => {
    const { answer } = await callOf(
      stream(
        chunk({ function_call: { name: 'f', arguments: '{"n"' } }),
        chunk({ function_call: { arguments: ':1}' } }),
        chunk({}, 'function_call'),
        done,
      ),
    )
    expect(answer.toolCalls).toEqual([{ id: expect.any(String), name: 'f', input: { n: 1 } }])
    expect(answer.finishReason).toBe('tool_calls')
  })

  test('Q55 arguments that the token limit cut off are no call', async () => {
    const { answer, error } = await callOf(
      stream(calls(piece(0, '{"path":"/a', { id: 'a', name: 'f' })), chunk({}, 'length'), done),
    )
    expect(error).toBeUndefined()
    expect(answer).toMatchObject({ toolCalls: [], finishReason: 'length' })
  })

  test('Q61 two ids under one index are two calls', async () => {
    const { answer } = await callOf(
      stream(
        calls(piece(0, '{"n":1}', { id: 'a', name: 'f' })),
        calls(piece(0, '{"n":2}', { id: 'b', name: 'f' })),
        ...end,
      ),
    )
    expect(answer.toolCalls.map(({ id, input }) => [id, input])).toEqual([
      ['a', { n: 1 }],
      ['b', { n: 2 }],
    ])
  })
})

describe('errors', () => {
  const failure = async (...args: Parameters<typeof json>) => (await callOf(json(...args))).error

  test('Q39 an error body that is a string has its category from the status', async () => {
    expect((await failure({ error: 'model runner stopped' }, 500))?.category).toBe('server')
    expect((await failure({ error: 'invalid options' }, 400))?.category).toBe('bad_request')
  })

  test('Q41 a 400 for a wrong key is an auth error', async () => {
    expect(
      (
        await failure(
          { code: 'Client specified an invalid argument', error: 'Incorrect API key provided' },
          400,
        )
      )?.code,
    ).toBe('auth/invalid_key')
    expect(
      (await failure([{ error: { message: 'API key not valid.', status: 'INVALID_ARGUMENT' } }], 400))?.code,
    ).toBe('auth/invalid_key')
  })

  test.each([400, 404])('Q42 a %i for an unknown model is not_found', async (status) => {
    expect((await failure({ error: 'model "nope" not found, try pulling it first' }, status))?.code).toBe(
      'not_found/model_not_found',
    )
  })

  test.each([
    ['an object', JSON.stringify(errorOf('no')), 'application/json'],
    ['a string', '"Unauthorized"', 'application/json'],
    ['a detail', '{"detail":"Unauthorized"}', 'application/json'],
    ['plain text', 'Unauthorized', 'text/plain'],
    ['a page', '<html><body>401</body></html>', 'text/html'],
    ['nothing', '', undefined],
  ])('Q43 a 401 with %s is an auth error', async (_what, text, type) => {
    expect((await callOf(body(text, type, 401))).error?.category).toBe('auth')
  })

  test('Q44 the wait of a 429 is read in each of its three headers', async () => {
    const said = errorOf('slow down')
    expect((await failure(said, 429, { 'retry-after': '7' }))?.retryAfterMs).toBe(7000)
    expect((await failure(said, 429, { 'retry-after-ms': '700', 'retry-after': '9' }))?.retryAfterMs).toBe(
      700,
    )
    const date = new Date(Date.now() + 9000).toUTCString()
    expect((await failure(said, 429, { 'retry-after': date }))?.retryAfterMs).toBeGreaterThan(5000)
  })

  test('Q45 a 429 for a used-up quota is not tried again here', async () => {
    const said = errorOf('You exceeded your current quota', {
      type: 'insufficient_quota',
      code: 'insufficient_quota',
    })
    const { error, requests } = await callOf(json(said, 429), { retries: 2 })
    expect(error?.code).toBe('rate_limit/quota_exhausted')
    expect(requests).toHaveLength(1)
  })

  test('Q46 a 529 is overload and may be tried again', async () => {
    const said = { type: 'error', error: { type: 'overloaded_error', message: 'Overloaded' } }
    expect(await failure(said, 529)).toMatchObject({ code: 'server/overloaded', retryable: true })
  })

  test.each([200, 404, 502])('Q47 a page with a %i is told in our words', async (status) => {
    const { error } = await callOf(body('<html><h1>Bad gateway</h1></html>', 'text/html', status))
    expect(`${error?.message} ${error?.excerpt ?? ''} ${JSON.stringify(error)}`).not.toMatch(
      /<|Unexpected token/,
    )
  })

  test('Q48 a 200 that holds only an error is one', async () => {
    expect((await failure(errorOf('no capacity', { code: '503' })))?.category).toBe('server')
  })

  test('Q49 an error inside a choice is one', async () => {
    const choice = { index: 0, delta: {}, finish_reason: 'error', error: { code: 502, message: 'died' } }
    const { error } = await callOf(stream(chunk({ content: 'a' }), event({ choices: [choice] }), done))
    expect(error?.code).toBe('server/server_error')
  })

  test('Q50 a content filter is a bad request as a 400, and a finish reason in an answer', async () => {
    const said = errorOf('The response was filtered', { code: 'content_filter' })
    expect((await failure(said, 400))?.code).toBe('bad_request/content_filter')
    const { answer } = await callOf(stream(chunk({ content: 'a' }), chunk({}, 'content_filter'), done))
    expect(answer.finishReason).toBe('content_filter')
  })
})

describe('labels and framing', () => {
  test('Q56 blank lines before a JSON body are no part of it', async () => {
    const text = `\n\n\n${JSON.stringify(completion({ content: 'ok' }))}`
    expect((await callOf(body(text, 'application/json'), { stream: false })).answer.text).toBe('ok')
  })

  test.each([
    ['JSON to a stream request', JSON.stringify(completion({ content: 'ok' })), 'application/json'],
    ['events labelled JSON', chunk({ content: 'ok' }, 'stop') + done, 'application/json'],
    ['JSON labelled text', JSON.stringify(completion({ content: 'ok' })), 'text/plain'],
  ])('Q59 %s is read by what it is', async (_what, text, type) => {
    expect((await callOf(body(text, type))).answer.text).toBe('ok')
  })

  test('Q60 CRLF, a byte order mark and "data:" without a space are all the same', async () => {
    const plain = chunk({ content: 'o' }) + chunk({ content: 'k' }, 'stop') + done
    const odd = `\ufeff${plain.replaceAll('data: ', 'data:').replaceAll('\n', '\r\n')}`
    expect((await callOf(stream(odd))).answer.text).toBe('ok')
  })
})
