/** Quirks of real upstreams, by their number in the collection, on fixtures of ours: messages and ollama. */

import { describe, expect, test } from 'vitest'

import { body, callOf, nextRequest, type Outcome, stream } from './calls.ts'
import { event } from './upstream-server.ts'

type Json = Readonly<Record<string, unknown>>

const json = (value: unknown) => body(JSON.stringify(value), 'application/json')

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
