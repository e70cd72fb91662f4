import { expect, test } from 'vitest'
import { DIALECTS } from '../../../src/providers/protocols/dialects.ts'
import { openaiResponses } from '../../../src/providers/protocols/openai-responses.ts'
import type { ModelRequest } from '../../../src/providers/types.ts'
import { type MapOptions, type Mapping, mapAnswer } from './mapping.ts'

const map = (values: readonly unknown[], options?: MapOptions): Mapping =>
  mapAnswer(openaiResponses, values, options)
const completed = (output: readonly object[] = [], more: object = {}): object => ({
  type: 'response.completed',
  response: { id: 'r', model: 'gpt', status: 'completed', output, ...more },
})
const message = (...content: object[]): object => ({ type: 'message', role: 'assistant', content })
const said = (text: string): object => ({ type: 'output_text', text })
const call = (id: string, args: string): object => ({
  type: 'function_call',
  id: `fc_${id}`,
  call_id: id,
  name: 'f',
  arguments: args,
})
// JSON of unknown shape is what the tests look into.
// biome-ignore lint/suspicious/noExplicitAny: the body is inspected freely
const build = (request: ModelRequest, model = 'm'): any =>
  openaiResponses.buildRequest(request, { model, stream: true, dialect: DIALECTS.openai })

test('I1: what deltas said is not said again by the events that repeat it', () => {
  const item = message(said('Hello'))
  const { answer } = map([
    {
      type: 'response.output_item.added',
      output_index: 0,
      item: { id: 'msg', type: 'message', content: [] },
    },
    { type: 'response.output_text.delta', output_index: 0, item_id: 'msg', delta: 'Hel' },
    { type: 'response.output_text.delta', output_index: 0, item_id: 'other', delta: 'lo' },
    { type: 'response.output_text.done', output_index: 0, text: 'Hello' },
    // This one names its item by id alone.
    { type: 'response.output_item.done', item: { ...item, id: 'msg' } },
    completed([item]),
  ])
  expect(answer.text).toBe('Hello')
})

test('I1: what came without deltas is taken from the item, or from the response', () => {
  const item = message(said('Hello'))
  const done = { type: 'response.output_item.done', output_index: 0, item }
  expect(map([done, completed([item])]).answer.text).toBe('Hello')
  expect(map([completed([item, call('a', '{"x":1}')])]).answer).toMatchObject({
    text: 'Hello',
    toolCalls: [{ id: 'a', input: { x: 1 } }],
  })
})

test('text is joined from all messages; items of kinds unknown and of the server say nothing', () => {
  const output = [
    message(said('a')),
    { type: 'web_search_call', status: 'completed' },
    { type: 'code_interpreter_call', code: 'print(1)' },
    { type: 'mcp_call', name: 'x', arguments: '{}' },
    { type: 'some_future_type', text: 'no' },
    message(said('b'), said('c')),
  ]
  const { answer } = map([{ status: 'completed', output }], { whole: true })
  expect(answer).toMatchObject({ text: 'abc', toolCalls: [], finishReason: 'stop' })
})

test('an incomplete response is an answer that says why', () => {
  const response = {
    status: 'incomplete',
    incomplete_details: { reason: 'max_output_tokens' },
    output: [message(said('Once')), call('a', '{"x":')],
  }
  const { answer, ending } = map([{ type: 'response.incomplete', response }])
  expect(ending).toEqual({ type: 'complete' })
  expect(answer).toMatchObject({ text: 'Once', toolCalls: [], finishReason: 'length' })
  expect(answer.rawFinishReason).toBe('max_output_tokens')
})

test('S5: a last call that stops short in a completed response shows that the tokens ran out', () => {
  const { answer } = map([completed([call('a', '{"x":1}'), call('b', '{"x": "un')])])
  expect(answer).toMatchObject({ finishReason: 'length', rawFinishReason: 'completed' })
  expect(answer.toolCalls.map(({ id }) => id)).toEqual(['a'])
  const wrong = map([completed([call('a', '{"x":1}}')])])
  expect(wrong.ending).toMatchObject({ reason: 'invalid_tool_arguments' })
})

test('S2: failed and cancelled responses and error events are errors with their code', () => {
  const error = { code: 'server_error', message: 'boom' }
  const failed = { type: 'response.failed', response: { status: 'failed', error, output: [] } }
  expect(map([failed]).mapped).toEqual([{ type: 'error', body: { error } }])
  expect(map([{ type: 'error', ...error }]).mapped).toMatchObject([{ type: 'error' }])
  expect(map([{ error }]).mapped).toMatchObject([{ type: 'error' }])
  const cancelled = { status: 'cancelled', output: [] }
  expect(map([cancelled], { whole: true }).mapped).toMatchObject([{ type: 'error' }])
  expect(map([{ error }], { whole: true }).mapped).toMatchObject([{ type: 'error' }])
})

test('S3: a stream without its last event was truncated, even with an end marker', () => {
  const delta = { type: 'response.output_text.delta', item_id: 'm', delta: 'Hel' }
  expect(map([delta]).ending).toEqual({ type: 'truncated' })
  expect(map([delta], { marked: true }).ending).toEqual({ type: 'truncated' })
})

test('S4: of several responses in one stream the last one is the answer', () => {
  const created = { type: 'response.created', response: { id: 'r', model: 'gpt' } }
  const first = [created, completed([call('a', '{"x":1}')], { usage: { input_tokens: 1, output_tokens: 1 } })]
  const last = completed([message(said('570'))], { usage: { input_tokens: 9, output_tokens: 2 } })
  const { answer } = map([...first, created, last])
  expect(answer).toMatchObject({
    text: '570',
    toolCalls: [],
    finishReason: 'stop',
    usage: { inputTokens: 9 },
  })
  expect(map([...first, created]).ending).toEqual({ type: 'truncated' })
})

test('a refusal is not text', () => {
  const { answer } = map([completed([message({ type: 'refusal', refusal: 'No.' })])])
  expect(answer).toMatchObject({ text: '', refusal: 'No.', finishReason: 'refusal' })
})

test('a free-form call has its text as input, and its result goes back as one of its kind', () => {
  const { answer } = map([
    {
      type: 'response.output_item.added',
      output_index: 0,
      item: { type: 'custom_tool_call', id: 'c', call_id: 'a', name: 'sql', input: '' },
    },
    { type: 'response.custom_tool_call_input.delta', output_index: 0, delta: 'SELECT ' },
    { type: 'response.custom_tool_call_input.delta', output_index: 0, delta: '1' },
    completed(),
  ])
  const { toolCalls } = answer
  expect(toolCalls).toEqual([{ id: 'a', name: 'sql', input: 'SELECT 1' }])
  const result = { role: 'tool', toolCallId: 'a', name: 'sql', content: '1' } as const
  expect(build({ messages: [{ role: 'assistant', content: '', toolCalls }, result] }).input).toEqual([
    { type: 'custom_tool_call', call_id: 'a', name: 'sql', input: 'SELECT 1' },
    { type: 'custom_tool_call_output', call_id: 'a', output: '1' },
  ])
})

test('the parts of a summary are told apart, streamed and whole', () => {
  const summary = [
    { type: 'summary_text', text: 'one' },
    { type: 'summary_text', text: 'two' },
  ]
  const delta = (summary_index: number, text: string): object => ({
    type: 'response.reasoning_summary_text.delta',
    output_index: 0,
    summary_index,
    delta: text,
  })
  const streamed = map([
    delta(0, 'o'),
    delta(0, 'ne'),
    delta(1, 'two'),
    completed([{ type: 'reasoning', summary }]),
  ])
  expect(streamed.answer.reasoning?.text).toBe('one\n\ntwo')
  const whole = map([{ status: 'completed', output: [{ type: 'reasoning', summary }] }], { whole: true })
  expect(whole.answer.reasoning?.text).toBe('one\n\ntwo')
})

test('encrypted reasoning is kept verbatim and goes back before what it led to', () => {
  const item = { type: 'reasoning', id: 'rs', summary: [], encrypted_content: 'opaque' }
  const output = [item, call('a', '{}')]
  const done = { type: 'response.output_item.done', output_index: 0, item }
  for (const { answer } of [map([done, completed(output)]), map([completed(output)])]) {
    const { reasoning, toolCalls } = answer
    const { input } = build({
      messages: [{ role: 'assistant', content: '', toolCalls, reasoning: reasoning! }],
    })
    expect(input).toEqual([item, { type: 'function_call', call_id: 'a', name: 'f', arguments: '{}' }])
  }
})

test('encrypted reasoning is asked for only where a model reasons, and nothing is kept upstream', () => {
  expect(build({ messages: [] }, 'gpt-5-mini')).toMatchObject({
    store: false,
    include: ['reasoning.encrypted_content'],
  })
  for (const model of ['o3', 'openai/gpt-5.1', 'openai.gpt-oss-120b']) {
    expect(build({ messages: [] }, model)).toHaveProperty('include')
  }
  for (const model of ['gpt-4o', 'gpt-5-chat-latest', 'llama-3']) {
    expect(build({ messages: [] }, model)).not.toHaveProperty('include')
  }
})
