/** Quirks of real upstreams, by their number in the collection, on fixtures of ours: messages, responses, ollama. */

import { describe, expect, test } from 'vitest'

import type { Message, ModelRequest, Reasoning } from '../../src/providers/types.ts'
import { ask, body, type CallOptions, callOf, type Outcome, stream } from './calls.ts'
import { event } from './upstream-server.ts'

type Json = Readonly<Record<string, unknown>>

const json = (value: unknown) => body(JSON.stringify(value), 'application/json')

/** What is sent in the step after one that ended in `reasoning` and a call. */
async function nextRequest(
  protocol: CallOptions['protocol'] & string,
  reasoning: Reasoning | null,
): Promise<Json> {
  const call: Message = {
    role: 'assistant',
    content: '',
    ...(reasoning && { reasoning }),
    toolCalls: [{ id: 'call_1', name: 'look', input: {} }],
  }
  const result: Message = { role: 'tool', toolCallId: 'call_1', name: 'look', content: 'seen' }
  const request: ModelRequest = { messages: [...ask.messages, call, result] }
  const { requests } = await callOf(json({}), { protocol, request, stream: false })
  return JSON.parse(requests[0]?.body ?? '') as Json // it was built as one a moment ago
}

describe('messages', () => {
  /** Named events, as the vendor sends them. */
  const sent = (events: readonly Json[]) =>
    stream(...events.map((data) => `event: ${String(data.type)}\n${event(data)}`))
  const start = (usage: Json = { input_tokens: 3, output_tokens: 1 }) => ({
    type: 'message_start',
    message: { id: 'msg_1', type: 'message', role: 'assistant', model: 'm-2026', content: [], usage },
  })
  const block = (index: number, content: Json, ...deltas: readonly Json[]): readonly Json[] => [
    { type: 'content_block_start', index, content_block: content },
    ...deltas.map((delta) => ({ type: 'content_block_delta', index, delta })),
    { type: 'content_block_stop', index },
  ]
  const text = (index: number, ...pieces: readonly string[]) =>
    block(index, { type: 'text', text: '' }, ...pieces.map((piece) => ({ type: 'text_delta', text: piece })))
  const end = (stop_reason: string, usage: Json = { output_tokens: 9 }): readonly Json[] => [
    { type: 'message_delta', delta: { stop_reason, stop_sequence: null }, usage },
    { type: 'message_stop' },
  ]
  const answered = (...events: readonly Json[]): Promise<Outcome> =>
    callOf(sent([start(), ...events]), { protocol: 'anthropic' })
  const whole = (content: readonly Json[], stop_reason = 'end_turn', more: Json = {}): Promise<Outcome> =>
    callOf(json({ ...start().message, content, stop_reason, ...more }), {
      protocol: 'anthropic',
      stream: false,
    })

  test.each([
    ['an empty piece', [{ type: 'input_json_delta', partial_json: '' }]],
    ['an empty object in a piece', [{ type: 'input_json_delta', partial_json: '{}' }]],
    ['no piece', []],
  ])('Q18 a call without arguments, told in %s, has {} as its input', async (_what, deltas) => {
    const call = { type: 'tool_use', id: 'toolu_1', name: 'now', input: {} }
    const { answer } = await answered(...block(0, call, ...deltas), ...end('tool_use'))
    expect(answer.toolCalls).toEqual([{ id: 'toolu_1', name: 'now', input: {} }])
    expect((await whole([call], 'tool_use')).answer.toolCalls).toEqual(answer.toolCalls)
  })

  test('Q19 signed thinking is reasoning, and goes back with its signature', async () => {
    const { answer, parts } = await answered(
      ...block(
        0,
        { type: 'thinking', thinking: '', signature: '' },
        { type: 'thinking_delta', thinking: 'Look ' },
        { type: 'thinking_delta', thinking: 'first.' },
        { type: 'signature_delta', signature: 'c2lnbg==' },
      ),
      ...text(1, 'Done.'),
      ...end('end_turn'),
    )
    expect(answer).toMatchObject({
      text: 'Done.',
      reasoning: { text: 'Look first.', signature: 'c2lnbg==' },
    })
    expect(parts.filter((part) => part.type === 'text')).toHaveLength(1)
    const { messages } = await nextRequest('anthropic', answer.reasoning)
    expect(messages).toContainEqual({
      role: 'assistant',
      content: [
        { type: 'thinking', thinking: 'Look first.', signature: 'c2lnbg==' },
        { type: 'tool_use', id: 'call_1', name: 'look', input: {} },
      ],
    })
  })

  test('Q20 redacted thinking is not shown, and goes back as it came', async () => {
    const redacted = { type: 'redacted_thinking', data: 'b3BhcXVl' }
    const streamed = await answered(...block(0, redacted), ...text(1, 'Done.'), ...end('end_turn'))
    const { answer } = await whole([redacted, { type: 'text', text: 'Done.' }])
    expect(streamed.answer).toEqual({ ...answer, usage: streamed.answer.usage })
    expect(answer).toMatchObject({ text: 'Done.', reasoning: { text: '' } })
    const { messages } = await nextRequest('anthropic', answer.reasoning)
    expect(messages).toContainEqual({
      role: 'assistant',
      content: [redacted, expect.objectContaining({ type: 'tool_use' })],
    })
  })

  test('Q21 pings anywhere are no content', async () => {
    const ping = { type: 'ping' }
    const pinged = [...text(0, 'a', 'b'), ...end('end_turn')].flatMap((each) => [ping, each])
    const { answer, types } = await answered(...pinged)
    expect(answer).toMatchObject({ text: 'ab', finishReason: 'stop' })
    expect(types).toEqual(['start', 'text', 'text', 'usage', 'finish'])
  })

  test('Q22 tools that the server runs are no calls of ours', async () => {
    const query = { type: 'input_json_delta', partial_json: '{"query":"tides"}' }
    const served: readonly Json[] = [
      { type: 'server_tool_use', id: 'srvtoolu_1', name: 'web_search', input: {} },
      { type: 'mcp_tool_use', id: 'mcptoolu_1', name: 'lookup', server_name: 's', input: {} },
    ]
    const results: readonly Json[] = [
      { type: 'web_search_tool_result', tool_use_id: 'srvtoolu_1', content: [{ type: 'web_search_result' }] },
      { type: 'mcp_tool_result', tool_use_id: 'mcptoolu_1', content: [{ type: 'text', text: 'inner' }] },
    ]
    const { answer, types } = await answered(
      ...text(0, 'Let me see. '),
      ...served.flatMap((use, at) => block(1 + at, use, query)),
      ...results.flatMap((result, at) => block(3 + at, result)),
      ...text(5, 'High at six.'),
      ...end('end_turn'),
    )
    expect(answer).toMatchObject({ text: 'Let me see. High at six.', toolCalls: [], finishReason: 'stop' })
    expect(types).not.toContain('tool_call_delta')
    const { answer: atOnce } = await whole([...served, ...results, { type: 'text', text: 'High at six.' }])
    expect(atOnce).toMatchObject({ text: 'High at six.', toolCalls: [], finishReason: 'stop' })
  })

  test('Q23 text that citations cut into blocks is joined as it is', async () => {
    const citation = { type: 'char_location', cited_text: 'green', document_index: 0 }
    const { answer } = await answered(
      ...text(0, 'The grass is '),
      ...block(
        1,
        { type: 'text', text: '', citations: [] },
        { type: 'citations_delta', citation },
        { type: 'text_delta', text: 'green' },
      ),
      ...text(2, '.'),
      ...end('end_turn'),
    )
    expect(answer.text).toBe('The grass is green.')
    const blocks = ['The grass is ', 'green', '.'].map((part) => ({ type: 'text', text: part }))
    expect((await whole(blocks)).answer.text).toBe(answer.text)
  })

  test.each([
    ['pause_turn', 'other'],
    ['refusal', 'refusal'],
    ['model_context_window_exceeded', 'length'],
  ])('Q24 the stop reason %s is no stop, and is told as it came', async (raw, reason) => {
    const expected = { text: 'So far', finishReason: reason, rawFinishReason: raw }
    expect((await answered(...text(0, 'So far'), ...end(raw))).answer).toMatchObject(expected)
    expect((await whole([{ type: 'text', text: 'So far' }], raw)).answer).toMatchObject(expected)
  })

  test('Q25 cached input is counted beside the rest, and within ours', async () => {
    const usage = { input_tokens: 5, cache_read_input_tokens: 100, cache_creation_input_tokens: 20 }
    const events = [start({ ...usage, output_tokens: 1 }), ...text(0, 'a'), ...end('end_turn')]
    const expected = { inputTokens: 125, cachedInputTokens: 100, outputTokens: 9 }
    expect((await callOf(sent(events), { protocol: 'anthropic' })).answer.usage).toMatchObject(expected)
    const counts = { usage: { ...usage, output_tokens: 9 } }
    const { answer } = await whole([{ type: 'text', text: 'a' }], 'end_turn', counts)
    expect(answer.usage).toMatchObject(expected)
  })

  test('Q26 blocks of a kind that nobody knows are passed over', async () => {
    const novel = { type: 'hologram', pixels: [1], nested: { text: 'not said' } }
    const { answer } = await answered(
      ...text(0, 'a'),
      ...block(1, novel, { type: 'hologram_delta', pixels: [2] }),
      ...text(2, 'b'),
      ...end('end_turn'),
    )
    expect(answer).toMatchObject({ text: 'ab', finishReason: 'stop' })
    const blocks = [{ type: 'text', text: 'a' }, novel, { type: 'text', text: 'b' }]
    expect((await whole(blocks)).answer.text).toBe('ab')
  })

  test('an input that came as its JSON is read', async () => {
    const call = { type: 'tool_use', id: 'toolu_1', name: 'look', input: '{"at":"it"}' }
    expect((await whole([call], 'tool_use')).answer.toolCalls[0]?.input).toEqual({ at: 'it' })
  })

  test('a block that was never closed counts as far as it came', async () => {
    const call = { type: 'tool_use', id: 'toolu_1', name: 'look', input: { at: 'it' } }
    const [opened = {}] = block(0, call)
    const { answer } = await answered(opened, ...end('tool_use'))
    expect(answer.toolCalls).toEqual([{ id: 'toolu_1', name: 'look', input: { at: 'it' } }])
    const thinking = { type: 'thinking', thinking: 'Hm.', signature: 'c2ln' }
    const unclosed = await answered(
      { type: 'content_block_start', index: 0, content_block: thinking },
      ...end('end_turn'),
    )
    expect(unclosed.answer.reasoning).toEqual({ text: 'Hm.', signature: 'c2ln' })
  })
})

describe('responses', () => {
  const message = (...content: readonly Json[]) => ({ id: 'i1', type: 'message', role: 'assistant', content })
  const said = (text: string) => ({ type: 'output_text', text, annotations: [] })
  const response = (status: string, output: readonly Json[], more: Json = {}) => ({
    id: 'resp_1',
    object: 'response',
    model: 'm-2026',
    status,
    output,
    usage: { input_tokens: 3, output_tokens: 4, total_tokens: 7 },
    ...more,
  })
  const created = { type: 'response.created', response: response('in_progress', [], { usage: null }) }
  const ended = (status: string, output: readonly Json[], more: Json = {}) => ({
    type: `response.${status}`,
    response: response(status, output, more),
  })
  const delta = (kind: string, text: string, more: Json = {}) => ({
    type: `response.${kind}.delta`,
    output_index: 0,
    content_index: 0,
    item_id: 'i1',
    delta: text,
    ...more,
  })
  const options = { protocol: 'openai-responses' } as const
  const answered = (...events: readonly (Json | string)[]): Promise<Outcome> =>
    callOf(stream(...events.map((each) => (typeof each === 'string' ? each : event(each)))), options)
  const whole = (value: unknown): Promise<Outcome> => callOf(json(value), { ...options, stream: false })

  test('Q27 an incomplete response keeps its text and says why it ended', async () => {
    const cut = [[message(said('So far'))], { incomplete_details: { reason: 'max_output_tokens' } }] as const
    const { answer } = await answered(created, delta('output_text', 'So far'), ended('incomplete', ...cut))
    expect(answer).toMatchObject({
      text: 'So far',
      finishReason: 'length',
      rawFinishReason: 'max_output_tokens',
    })
    expect((await whole(response('incomplete', ...cut))).answer).toEqual(answer)
  })

  test('Q28 a refusal is no text', async () => {
    const output = [message({ type: 'refusal', refusal: 'I will not.' })]
    const { answer, types } = await answered(
      created,
      delta('refusal', 'I will '),
      delta('refusal', 'not.'),
      { type: 'response.refusal.done', output_index: 0, item_id: 'i1', refusal: 'I will not.' },
      ended('completed', output),
    )
    expect(answer).toMatchObject({ text: '', finishReason: 'refusal', refusal: 'I will not.' })
    expect(types).not.toContain('text')
    expect((await whole(response('completed', output))).answer).toEqual(answer)
  })

  test('Q29 a failed response and an error event are errors with their code', async () => {
    const failed = ended('failed', [], { error: { code: 'server_error', message: 'the model died' } })
    const limited = { type: 'error', code: 'rate_limit_exceeded', message: 'slow down', param: null }
    const nested = { type: 'error', error: { code: 'rate_limit_exceeded', message: 'slow down' } }
    for (const [failure, code] of [
      [failed, 'server/stream_error'],
      [limited, 'rate_limit/rate_limited'],
      [nested, 'rate_limit/rate_limited'],
    ] as const) {
      const { error, answer } = await answered(created, delta('output_text', 'So far'), failure)
      expect(error?.code).toBe(code)
      expect(answer.text).toBe('So far')
    }
    expect((await whole(failed.response)).error?.code).toBe('server/stream_error')
  })

  test('Q30 comments are no events, and reasoning_text is reasoning', async () => {
    const comment = ': ROUTER AT WORK\n\n'
    const { answer } = await answered(
      comment,
      created,
      comment,
      delta('reasoning_text', 'Think '),
      comment,
      delta('reasoning_text', 'twice.'),
      delta('output_text', 'Done.', { output_index: 1, item_id: 'i2' }),
      comment,
      ended('completed', [
        {
          id: 'i1',
          type: 'reasoning',
          summary: [],
          content: [{ type: 'reasoning_text', text: 'Think twice.' }],
        },
        message(said('Done.')),
      ]),
    )
    expect(answer).toMatchObject({ text: 'Done.', reasoning: { text: 'Think twice.' }, finishReason: 'stop' })
  })

  test('Q31 encrypted reasoning goes back as it came, before what it led to', async () => {
    const item = { id: 'rs_1', type: 'reasoning', summary: [], encrypted_content: 'Z0FBQUE=' }
    const output = [item, message(said('Done.'))]
    const { answer } = await answered(
      created,
      { type: 'response.output_item.done', output_index: 0, item },
      delta('output_text', 'Done.', { output_index: 1, item_id: 'i2' }),
      ended('completed', output),
    )
    expect((await whole(response('completed', output))).answer).toEqual(answer)
    const { input } = await nextRequest('openai-responses', answer.reasoning)
    expect(input).toEqual([
      { role: 'user', content: 'hi' },
      item,
      { type: 'function_call', call_id: 'call_1', name: 'look', arguments: '{}' },
      { type: 'function_call_output', call_id: 'call_1', output: 'seen' },
    ])
  })

  test('Q32 several messages are one text, and items of built-in tools say nothing', async () => {
    const search = { id: 'ws_1', type: 'web_search_call', status: 'completed', action: { query: 'tides' } }
    const novel = { id: 'x_1', type: 'hologram_call', name: 'draw', arguments: '{"a":1}', text: 'not said' }
    const output = [message(said('Let me see. ')), search, novel, { ...message(said('High.')), id: 'i4' }]
    const { answer } = await answered(
      created,
      delta('output_text', 'Let me see. '),
      { type: 'response.output_item.added', output_index: 1, item: search },
      { type: 'response.web_search_call.searching', output_index: 1, item_id: 'ws_1' },
      { type: 'response.output_item.done', output_index: 1, item: search },
      { type: 'response.output_item.added', output_index: 2, item: novel },
      { type: 'response.hologram_call.delta', output_index: 2, item_id: 'x_1', delta: 'not said' },
      delta('output_text', 'High.', { output_index: 3, item_id: 'i4' }),
      ended('completed', output),
    )
    expect(answer).toMatchObject({ text: 'Let me see. High.', toolCalls: [], finishReason: 'stop' })
    expect((await whole(response('completed', output))).answer).toEqual(answer)
  })

  describe('what only a later event has whole', () => {
    const item = (n: number, args: string) => ({
      id: `fc_${n}`,
      type: 'function_call',
      call_id: `call_${n}`,
      name: 'look',
      arguments: args,
    })
    const begun = (n: number) => ({
      type: 'response.output_item.added',
      output_index: n,
      item: item(n, ''),
    })
    const args = (n: number, kind: 'delta' | 'done', text: string) => ({
      type: `response.function_call_arguments.${kind}`,
      output_index: n,
      item_id: `fc_${n}`,
      [kind === 'delta' ? 'delta' : 'arguments']: text,
    })
    const inputsOf = ({ answer }: Outcome) => answer.toolCalls.map(({ input }) => input)
    const both = [item(0, '{"at":0}'), item(1, '{"at":1}')]

    test('arguments without deltas are taken from their last event', async () => {
      const events = [begun(0), args(0, 'done', '{"at":0}')]
      expect(inputsOf(await answered(created, ...events, ended('completed', [])))).toEqual([{ at: 0 }])
    })

    test.each([
      ['the arguments of both', [begun(0), begun(1)]],
      ['the second call', [begun(0), args(0, 'delta', '{"at":0}')]],
      ['the first call', [begun(1), args(1, 'delta', '{"at":1}')]],
      ['nothing', [begun(0), args(0, 'done', '{"at":0}'), begun(1), args(1, 'delta', '{"at":1}')]],
    ])('the final response adds %s', async (_what, events) => {
      const outcome = await answered(created, ...events, ended('completed', both))
      expect(inputsOf(outcome)).toHaveLength(2)
      expect(inputsOf(outcome)).toEqual(expect.arrayContaining([{ at: 0 }, { at: 1 }]))
    })

    test('calls with new ids at the end are the same calls', async () => {
      const renamed = both.map((call) => ({ ...call, call_id: `other_${call.call_id}` }))
      const events = [begun(0), args(0, 'delta', '{"at":0}'), begun(1), args(1, 'delta', '{"at":1}')]
      const outcome = await answered(created, ...events, ended('completed', renamed))
      expect(inputsOf(outcome)).toEqual([{ at: 0 }, { at: 1 }])
    })

    test('text without deltas is taken from the first event that has it', async () => {
      const last = { type: 'response.output_text.done', output_index: 0, item_id: 'i1', text: 'So far' }
      expect((await answered(created, last, ended('completed', []))).answer.text).toBe('So far')
      const output = [message(said('So far')), { ...message(said(' so good')), id: 'i2' }]
      const { answer } = await answered(created, delta('output_text', 'So far'), ended('completed', output))
      expect(answer.text).toBe('So far so good')
      expect((await whole(response('completed', [{ ...message(), content: 'Said' }]))).answer.text).toBe(
        'Said',
      )
    })
  })

  test.each(['queued', 'in_progress'])('a response that is %s is no answer', async (status) => {
    expect((await whole(response(status, []))).error?.code).toBe('network/truncated_stream')
  })
})

describe('ollama', () => {
  const line = (message: Json, more: Json = { done: false }) => ({ model: 'm-2026', message, ...more })
  const end = { done: true, done_reason: 'stop', prompt_eval_count: 3, eval_count: 4 }
  const answered = (...lines: readonly Json[]): Promise<Outcome> => {
    const text = lines.map((each) => `${JSON.stringify(each)}\n`).join('')
    return callOf(body(text, 'application/x-ndjson'), { protocol: 'ollama' })
  }
  const whole = (message: Json): Promise<Outcome> =>
    callOf(json(line(message, end)), { protocol: 'ollama', stream: false })

  test('Q37 calls with an object and without id get one, and make it a tool turn', async () => {
    const calls = ['Paris', '東京'].map((city) => ({ function: { name: 'weather', arguments: { city } } }))
    const atOnce = { role: 'assistant', content: '', tool_calls: calls }
    const oneByOne = calls.map((call) => line({ role: 'assistant', content: '', tool_calls: [call] }))
    const outcomes = [
      await answered(...oneByOne, line({ role: 'assistant', content: '' }, end)),
      await answered(line(atOnce), line({ role: 'assistant', content: '' }, end)),
      await whole(atOnce),
    ]
    for (const { answer } of outcomes) {
      expect(answer.toolCalls.map(({ input }) => input)).toEqual([{ city: 'Paris' }, { city: '東京' }])
      expect(answer.toolCalls.every(({ id }) => id !== '')).toBe(true)
      expect(new Set(answer.toolCalls.map(({ id }) => id)).size).toBe(2)
      expect(answer).toMatchObject({ finishReason: 'tool_calls', rawFinishReason: 'stop' })
    }
  })

  test('Q38 thinking is reasoning', async () => {
    const { answer } = await answered(
      line({ role: 'assistant', content: '', thinking: 'Think ' }),
      line({ role: 'assistant', content: '', thinking: 'twice.' }),
      line({ role: 'assistant', content: 'Done.' }),
      line({ role: 'assistant', content: '' }, end),
    )
    expect(answer).toMatchObject({ text: 'Done.', reasoning: { text: 'Think twice.' } })
    expect((await whole({ content: 'Done.', thinking: 'Think twice.' })).answer).toEqual(answer)
  })

  test('Q40 an error line amid the answer is an error that keeps the text', async () => {
    const { error, answer } = await answered(
      line({ role: 'assistant', content: 'So ' }),
      line({ role: 'assistant', content: 'far' }),
      { error: 'an error was encountered while running the model' },
    )
    expect(error?.category).toBe('server')
    expect(answer).toMatchObject({ text: 'So far', finishReason: null })
  })
})
