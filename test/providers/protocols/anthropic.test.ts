import { expect, test } from 'vitest'
import { anthropic } from '../../../src/providers/protocols/anthropic.ts'
import { DIALECTS } from '../../../src/providers/protocols/dialects.ts'
import type { ModelRequest } from '../../../src/providers/types.ts'
import { type MapOptions, type Mapping, mapAnswer } from './mapping.ts'

const map = (values: readonly unknown[], options?: MapOptions): Mapping =>
  mapAnswer(anthropic, values, options)
const start = (usage: object = {}): object => ({
  type: 'message_start',
  message: { id: 'msg_1', model: 'claude', content: [], usage },
})
const block = (index: number, content_block: object, ...deltas: object[]): object[] => [
  { type: 'content_block_start', index, content_block },
  ...deltas.map((delta) => ({ type: 'content_block_delta', index, delta })),
  { type: 'content_block_stop', index },
]
const end = (stop_reason: string | null, usage: object = {}): object[] => [
  { type: 'message_delta', delta: { stop_reason }, usage },
  { type: 'message_stop' },
]
const text = (said: string): object => ({ type: 'text_delta', text: said })

test('a thinking block keeps its signature, for the next turn to send back', () => {
  const thinking = block(
    0,
    { type: 'thinking', thinking: '', signature: '' },
    { type: 'thinking_delta', thinking: 'hm' },
    { type: 'signature_delta', signature: 'si' },
    { type: 'signature_delta', signature: 'g' },
  )
  const { answer } = map([start(), ...thinking, ...end('end_turn')])
  expect(answer.reasoning).toEqual({ text: 'hm', signature: 'sig' })
  expect(sentBack(answer.reasoning)).toEqual([{ type: 'thinking', thinking: 'hm', signature: 'sig' }])
})

test('a signed block whose text is not shown goes back as well', () => {
  const hidden = block(0, { type: 'thinking', thinking: '', signature: 'sig' })
  const { answer } = map([start(), ...hidden, ...end('end_turn')])
  expect(sentBack(answer.reasoning)).toEqual([{ type: 'thinking', thinking: '', signature: 'sig' }])
})

test('redacted thinking is not shown, and goes back unchanged and in its place', () => {
  const content = [
    { type: 'thinking', thinking: 'one', signature: 's1' },
    { type: 'redacted_thinking', data: 'opaque' },
    { type: 'thinking', thinking: 'two', signature: 's2' },
    { type: 'text', text: 'so' },
  ]
  const { answer } = map([{ type: 'message', content, stop_reason: 'end_turn' }], { whole: true })
  expect(answer).toMatchObject({ text: 'so', reasoning: { text: 'onetwo' } })
  expect(sentBack(answer.reasoning)).toEqual(content.slice(0, 3))
})

function sentBack(reasoning: Mapping['answer']['reasoning']): unknown {
  const request: ModelRequest = {
    messages: [{ role: 'assistant', content: '', ...(reasoning && { reasoning }) }],
  }
  const body = anthropic.buildRequest(request, { model: 'm', stream: false, dialect: DIALECTS.generic })
  return (body as { messages: { content: unknown }[] }).messages[0]?.content // the shape of every request
}

test('pings, unknown events and unknown deltas say nothing', () => {
  const { answer, ending } = map([
    { type: 'ping' },
    start(),
    { type: 'novel_event', data: 1 },
    ...block(0, { type: 'text', text: '' }, text('a'), { type: 'novel_delta', text: 'no' }, text('b')),
    ...end('end_turn'),
  ])
  expect(answer.text).toContain('a')
  expect(answer.text).toContain('b')
  expect(ending).toEqual({ type: 'complete' })
})

test('tools that the server runs, and blocks of kinds unknown, are no calls of ours', () => {
  const { answer } = map([
    start(),
    ...block(
      0,
      { type: 'server_tool_use', id: 's', name: 'web_search', input: {} },
      {
        type: 'input_json_delta',
        partial_json: '{"q":1}',
      },
    ),
    ...block(1, { type: 'web_search_tool_result', tool_use_id: 's', content: [] }),
    ...block(2, { type: 'mcp_tool_use', id: 'm', name: 'x', input: {} }),
    ...block(3, { type: 'compaction', content: 'summary' }),
    ...block(4, { type: 'text', text: '' }, text('found')),
    ...end('pause_turn'),
  ])
  expect(answer).toMatchObject({ text: 'found', toolCalls: [] })
  expect(answer).toMatchObject({ finishReason: 'other', rawFinishReason: 'pause_turn' })
})

test('text that citations cut in blocks is joined without separators', () => {
  const cited = { type: 'citations_delta', citation: { cited_text: 'no' } }
  const { answer } = map([
    start(),
    ...block(0, { type: 'text', text: 'one ' }),
    ...block(1, { type: 'text', text: '', citations: [] }, cited, text('two')),
    ...end('end_turn'),
  ])
  expect(answer.text).toBe('one two')
})

test.each([
  ['refusal', 'refusal'],
  ['model_context_window_exceeded', 'length'],
  ['max_tokens', 'length'],
  ['stop_sequence', 'stop'],
  ['novel', 'other'],
])('stop reason %s stays, and is %s to us', (raw, reason) => {
  const { answer } = map([start(), ...end(raw)])
  expect(answer).toMatchObject({ rawFinishReason: raw, finishReason: reason })
})

test('a call without arguments gets {}, never {}{}', () => {
  const use = { type: 'tool_use', id: 't', name: 'now', input: {} }
  const { answer } = map([
    start(),
    ...block(0, use, { type: 'input_json_delta', partial_json: '' }),
    ...end('tool_use'),
  ])
  expect(answer.toolCalls).toEqual([{ id: 't', name: 'now', input: {} }])
})

test('input that comes whole at the start of a block counts, unless deltas repeat it', () => {
  const use = { type: 'tool_use', id: 't', name: 'f', input: { x: 1 } }
  const delta = { type: 'input_json_delta', partial_json: '{"x":2}' }
  expect(map([start(), ...block(0, use), ...end('tool_use')]).answer.toolCalls[0]?.input).toEqual({ x: 1 })
  expect(map([start(), ...block(0, use, delta), ...end('tool_use')]).answer.toolCalls[0]?.input).toEqual({
    x: 2,
  })
})

test('a call that the token limit left without any argument is not made', () => {
  const use = { type: 'tool_use', id: 't', name: 'f', input: {} }
  expect(map([start(), ...block(0, use), ...end('max_tokens')]).answer.toolCalls).toEqual([])
})

test('input includes what was cached, and the later report wins', () => {
  const early = {
    input_tokens: 3,
    cache_read_input_tokens: 10,
    cache_creation_input_tokens: 5,
    output_tokens: 1,
  }
  expect(map([start(early), ...end('end_turn', { output_tokens: 9 })]).answer.usage).toEqual({
    inputTokens: 18,
    outputTokens: 9,
    totalTokens: null,
    cachedInputTokens: 10,
    reasoningTokens: null,
  })
  const anew = {
    input_tokens: 7,
    cache_read_input_tokens: 0,
    cache_creation_input_tokens: 0,
    output_tokens: 9,
  }
  expect(map([start(early), ...end('end_turn', anew)]).answer.usage?.inputTokens).toBe(7)
  const zeros = { input_tokens: 0, output_tokens: 9 }
  expect(map([start(early), ...end('end_turn', zeros)]).answer.usage?.inputTokens).toBe(18)
})

test('errors count with and without envelope (llama.cpp), at any point', () => {
  const boom = { type: 'error', error: { type: 'overloaded_error', message: 'Overloaded' } }
  expect(map([start(), boom]).mapped.at(-1)).toEqual({ type: 'error', body: boom })
  const bare = { code: 500, message: 'Context size has been exceeded.', type: 'server_error' }
  expect(map([start(), { json: bare, name: 'error' }]).mapped.at(-1)).toEqual({ type: 'error', body: bare })
  expect(map([{ error: { message: 'x' } }], { whole: true }).mapped).toMatchObject([{ type: 'error' }])
})

test('M3: without a stop reason and without its end a message was truncated', () => {
  const begun = [start(), ...block(0, { type: 'text', text: '' }, text('Hel'))]
  expect(map(begun).ending).toEqual({ type: 'truncated' })
  expect(map([...begun, end('end_turn')[0]]).ending).toEqual({ type: 'complete' })
})

test('a 200 without content is no answer', () => {
  expect(map([{ type: 'message' }], { whole: true }).mapped).toMatchObject([{ type: 'invalid' }])
})
