import { expect, test } from 'vitest'

import { createCollector } from '../../../src/providers/collect.ts'
import { DIALECTS } from '../../../src/providers/protocols/dialects.ts'
import { openaiChat } from '../../../src/providers/protocols/openai-chat.ts'
import type { Ending, Mapped } from '../../../src/providers/protocols/protocol.ts'
import type { Answer, ModelRequest, StreamPart } from '../../../src/providers/types.ts'

type Mapping = {
  readonly parts: readonly StreamPart[]
  readonly answer: Answer
  readonly mapped: readonly Mapped[]
  readonly ending: Ending
}

function map(chunks: readonly unknown[], options: { whole?: boolean; marked?: boolean } = {}): Mapping {
  const { whole = false, marked = true } = options
  const parts: StreamPart[] = []
  const collector = createCollector('p/m')
  let ids = 0
  const mapper = openaiChat.createMapper(
    (part) => {
      parts.push(part)
      collector.add(part)
    },
    { toolArgumentBytes: 1000, newId: () => `made-${++ids}` },
  )
  const mapped = chunks.map((chunk) => (whole ? mapper.body(chunk) : mapper.event(chunk, undefined)))
  const ending = mapper.end(marked)
  return { parts, answer: collector.answer(), mapped, ending }
}

const said = (delta: object, finish_reason: string | null = null): object => ({
  choices: [{ index: 0, delta, finish_reason }],
})
const calls = (...tool_calls: object[]): object => said({ tool_calls })
const end = (reason: string | null = 'stop'): object => said({}, reason)

test('a JSON answer and a stream give the same answer', () => {
  const usage = { prompt_tokens: 3, completion_tokens: 2, total_tokens: 5 }
  const call = { id: 'a', type: 'function', function: { name: 'f', arguments: '{"x":1}' } }
  const message = { role: 'assistant', content: 'Hi', reasoning_content: 'hm', tool_calls: [call] }
  const whole = map([{ choices: [{ index: 0, message, finish_reason: 'tool_calls' }], usage }], {
    whole: true,
  })
  const streamed = map([
    said({ role: 'assistant', reasoning_content: 'hm' }),
    said({ content: 'H' }),
    said({ content: 'i' }),
    calls({ index: 0, id: 'a', function: { name: 'f', arguments: '{"x"' } }),
    calls({ index: 0, function: { arguments: ':1}' } }),
    end('tool_calls'),
    { choices: [], usage },
  ])
  expect(streamed.answer).toEqual(whole.answer)
  expect(whole.answer.toolCalls).toEqual([{ id: 'a', name: 'f', input: { x: 1 } }])
  expect(whole.answer.usage?.totalTokens).toBe(5)
})

test('P3: tool_call comes after all its deltas and before finish', () => {
  const { parts } = map([calls({ index: 0, id: 'a', function: { name: 'f', arguments: '{}' } }), end()])
  expect(parts.map(({ type }) => type)).toEqual(['tool_call_delta', 'tool_call', 'finish'])
})

test('A3: a stream that ends with neither a finish reason nor an end marker is truncated', () => {
  const chunks = [said({ content: 'Hello wor' })]
  expect(map(chunks, { marked: false }).ending).toEqual({ type: 'truncated' })
  expect(map(chunks, { marked: true }).ending).toEqual({ type: 'complete' })
  expect(map([...chunks, end()], { marked: false }).ending).toEqual({ type: 'complete' })
  expect(map([said({ content: 'x' }, '')], { marked: false }).ending).toEqual({ type: 'truncated' })
})

test('A4: running totals of usage are not added up, and a report of zeros takes nothing back', () => {
  const usage = (prompt_tokens: number, completion_tokens: number): object => ({
    ...said({ content: '.' }),
    usage: { prompt_tokens, completion_tokens },
  })
  const { answer } = map([usage(5, 1), usage(5, 2), usage(0, 0), end()])
  expect(answer.usage).toMatchObject({ inputTokens: 5, outputTokens: 2, totalTokens: null })
})

test('usage is read where Groq and DeepSeek put it', () => {
  const groq = map([end(), { choices: [], x_groq: { usage: { prompt_tokens: 1, completion_tokens: 2 } } }])
  expect(groq.answer.usage?.outputTokens).toBe(2)
  const deepseek = { prompt_tokens: 9, completion_tokens: 1, prompt_cache_hit_tokens: 8 }
  expect(map([end(), { choices: [], usage: deepseek }]).answer.usage?.cachedInputTokens).toBe(8)
})

test('no usage part comes if the upstream reported none', () => {
  expect(map([end(), { choices: [], usage: null }]).answer.usage).toBeNull()
})

test('A2: an error counts in a chunk, in a choice, and as a finish reason', () => {
  const error = { message: 'boom', code: 502 }
  expect(map([{ ...said({ content: 'x' }, 'length'), error }]).mapped).toMatchObject([{ type: 'error' }])
  const inChoice = { choices: [{ index: 0, delta: {}, finish_reason: 'error', error }] }
  expect(map([inChoice]).mapped).toEqual([{ type: 'error', body: { error } }])
  expect(map([said({}, 'error')]).mapped).toMatchObject([{ type: 'error' }])
})

test('a 200 without choices, or with an empty list of them, is no answer', () => {
  for (const body of [{ id: 'x' }, { choices: [] }, { choices: null }]) {
    expect(map([body], { whole: true }).ending).toMatchObject({ type: 'invalid', reason: 'server_error' })
  }
})

test('A1: further choices stay out', () => {
  const { answer } = map([
    { choices: [{ index: 1, delta: { content: 'no' } }] },
    {
      choices: [
        { index: 1, delta: { content: 'no' } },
        { index: 0, delta: { content: 'yes' } },
      ],
    },
    end(),
  ])
  expect(answer.text).toBe('yes')
})

test.each([
  ['reasoning_content', { reasoning_content: 'think' }],
  ['reasoning', { reasoning: 'think' }],
  ['reasoning_details', { reasoning_details: [{ type: 'reasoning.text', text: 'think' }] }],
  ['thinking parts', { content: [{ type: 'thinking', thinking: [{ type: 'text', text: 'think' }] }] }],
])('reasoning under %s is reasoning and not text', (_name, delta) => {
  const { answer } = map([said(delta), said({ content: null }), end()])
  expect(answer.reasoning?.text).toBe('think')
  expect(answer.text).toBe('')
})

test('signed reasoning details come back as a signature that the next request unpacks', () => {
  const piece = (text: string, signature?: string): object =>
    said({ reasoning_details: [{ type: 'reasoning.text', index: 0, text, signature }] })
  const { answer } = map([piece('a'), piece('b', 'sig'), end()])
  expect(answer.reasoning?.text).toBe('ab')
  const message = { role: 'assistant', content: '', reasoning: answer.reasoning! } as const
  expect(build({ messages: [message] }, 'openrouter').messages[0]).toMatchObject({
    reasoning_details: [{ type: 'reasoning.text', index: 0, text: 'ab', signature: 'sig' }],
  })
})

test('lists of content parts are text, never [object Object]', () => {
  const content = [{ type: 'text', text: 'a' }, { type: 'reference', reference_ids: [1] }, 'b']
  expect(map([said({ content }), end()]).answer.text).toBe('ab')
})

test('a refusal is not text', () => {
  const { answer } = map([said({ refusal: 'I ' }), said({ refusal: 'will not' }), end()])
  expect(answer).toMatchObject({ text: '', finishReason: 'refusal', refusal: 'I will not' })
})

test.each([
  [
    'T1 without index',
    [calls({ id: 'a', function: f('{"x":1}') }), calls({ id: 'b', function: f('{"x":2}') })],
  ],
  [
    'T1 with one index and two ids',
    [
      calls({ index: 0, id: 'a', function: f('{"x":1}') }),
      calls({ index: 0, id: 'b', function: f('{"x":2}') }),
    ],
  ],
  [
    'T1 with one index and no ids',
    [calls({ index: 0, function: f('{"x":1}') }), calls({ index: 0, function: f('{"x":2}') })],
  ],
  ['in one delta', [calls({ function: f('{"x":1}') }, { function: f('{"x":2}') })]],
  [
    'T2 cut and without index in the later pieces',
    [
      calls({ id: 'a', function: f('{"x"') }, { id: 'b', function: f('{"x"') }),
      calls({ function: { arguments: ':1}' } }, { function: { arguments: ':2}' } }),
    ],
  ],
  [
    'with one id twice',
    [
      calls({ index: 0, id: 'a', function: f('{"x":1}') }),
      calls({ index: 1, id: 'a', function: f('{"x":2}') }),
    ],
  ],
  ['as objects', [calls({ index: 0, function: f({ x: 1 }) }, { index: 1, function: f({ x: 2 }) })]],
  [
    'with the name in every piece',
    [
      calls({ index: 0, id: 'a', function: f('{"x"') }),
      calls({ index: 0, id: 'a', function: f(':1}') }),
      calls({ index: 1, id: 'b', function: f('{"x":2}') }),
    ],
  ],
])('two tool calls come out of pieces %s', (_name, chunks) => {
  const { answer } = map([...chunks, end('tool_calls')])
  expect(answer.toolCalls.map(({ name, input }) => [name, input])).toEqual([
    ['f', { x: 1 }],
    ['f', { x: 2 }],
  ])
  expect(new Set(answer.toolCalls.map(({ id }) => id)).size).toBe(2)
})

function f(args: unknown): object {
  return { name: 'f', arguments: args }
}

test.each([[null], [''], ['  '], ['null'], [undefined], [{}]])('arguments %j are no arguments', (args) => {
  const { answer } = map([calls({ index: 0, id: 'a', function: f(args) }), end('tool_calls')])
  expect(answer.toolCalls).toEqual([{ id: 'a', name: 'f', input: {} }])
})

test('a call without an id gets one, and stop after tool calls is a tool turn', () => {
  const { answer } = map([calls({ index: 0, id: '', function: f('{}') }), end('stop')])
  expect(answer).toMatchObject({
    toolCalls: [{ id: 'made-1' }],
    finishReason: 'tool_calls',
    rawFinishReason: 'stop',
  })
})

test('T3: unreadable arguments are an error, and left out where the token limit cut them', () => {
  const cut = calls({ index: 0, id: 'a', function: f('{"x":') })
  expect(map([cut, end('tool_calls')]).ending).toMatchObject({ reason: 'invalid_tool_arguments' })
  expect(map([cut, end('length')])).toMatchObject({ ending: { type: 'complete' }, answer: { toolCalls: [] } })
})

test('arguments beyond the limit end the answer', () => {
  const { mapped } = map([calls({ index: 0, id: 'a', function: f('x'.repeat(1001)) })])
  expect(mapped).toMatchObject([{ type: 'invalid', reason: 'invalid_tool_arguments' }])
})

test('a legacy function_call is a tool call, and an empty one is nothing', () => {
  const legacy = [said({ function_call: f('{"x"') }), said({ function_call: { arguments: ':1}' } })]
  expect(map([...legacy, end('function_call')]).answer).toMatchObject({
    toolCalls: [{ name: 'f', input: { x: 1 } }],
    finishReason: 'tool_calls',
  })
  expect(map([said({ function_call: { name: '', arguments: '' } }), end()]).answer.toolCalls).toEqual([])
})

test('a free-form tool gets its text, and an empty custom object beside a function counts for nothing', () => {
  const custom = { index: 0, id: 'a', type: 'custom', custom: { name: 'sql', input: 'SELECT 1' } }
  expect(map([calls(custom), end()]).answer.toolCalls[0]?.input).toBe('SELECT 1')
  const both = { index: 0, id: 'a', function: f('{"x":1}'), custom: { name: '', input: '' } }
  expect(map([calls(both), end()]).answer.toolCalls[0]?.input).toEqual({ x: 1 })
})

// JSON of unknown shape is what the tests look into.
// biome-ignore lint/suspicious/noExplicitAny: the body is inspected freely
function build(request: ModelRequest, dialect: keyof typeof DIALECTS = 'generic', stream = true): any {
  return openaiChat.buildRequest(request, { model: 'm', stream, dialect: DIALECTS[dialect] })
}

test('max_tokens is always sent, under the name that the dialect knows', () => {
  expect(build({ messages: [] }).max_tokens).toBe(4096)
  expect(build({ messages: [], parameters: { maxTokens: 7 } }, 'openai')).toMatchObject({
    max_completion_tokens: 7,
  })
  expect(build({ messages: [] }, 'openai')).not.toHaveProperty('max_tokens')
})

test('usage is asked for in streams, except where the vendor refuses the field', () => {
  expect(build({ messages: [] })).toMatchObject({ stream: true, stream_options: { include_usage: true } })
  expect(build({ messages: [] }, 'generic', false)).not.toHaveProperty('stream_options')
  expect(build({ messages: [] }, 'mistral')).not.toHaveProperty('stream_options')
})

test('a request with everything is translated whole', () => {
  const request: ModelRequest = {
    messages: [
      { role: 'system', content: 'be brief' },
      {
        role: 'user',
        content: [
          { type: 'text', text: 'look' },
          { type: 'image', data: 'AA==', mediaType: 'image/png' },
          { type: 'image', url: 'https://example.com/a.png' },
        ],
      },
      { role: 'assistant', content: '', toolCalls: [{ id: 'a', name: 'f', input: { x: 1 } }] },
      { role: 'tool', toolCallId: 'a', name: 'f', content: '42' },
    ],
    tools: [{ name: 'f', description: 'does', inputSchema: { type: 'object' } }],
    toolChoice: { name: 'f' },
    responseFormat: { type: 'json_schema', name: 'out', schema: { type: 'object' } },
    parameters: { temperature: 0.5, topP: 0.9, stop: ['.'], seed: 1, parallelToolCalls: false },
  }
  expect(build(request)).toMatchInlineSnapshot(`
    {
      "max_tokens": 4096,
      "messages": [
        {
          "content": "be brief",
          "role": "system",
        },
        {
          "content": [
            {
              "text": "look",
              "type": "text",
            },
            {
              "image_url": {
                "url": "data:image/png;base64,AA==",
              },
              "type": "image_url",
            },
            {
              "image_url": {
                "url": "https://example.com/a.png",
              },
              "type": "image_url",
            },
          ],
          "role": "user",
        },
        {
          "content": null,
          "role": "assistant",
          "tool_calls": [
            {
              "function": {
                "arguments": "{"x":1}",
                "name": "f",
              },
              "id": "a",
              "type": "function",
            },
          ],
        },
        {
          "content": "42",
          "role": "tool",
          "tool_call_id": "a",
        },
      ],
      "model": "m",
      "parallel_tool_calls": false,
      "response_format": {
        "json_schema": {
          "name": "out",
          "schema": {
            "type": "object",
          },
          "strict": true,
        },
        "type": "json_schema",
      },
      "seed": 1,
      "stop": [
        ".",
      ],
      "stream": true,
      "stream_options": {
        "include_usage": true,
      },
      "temperature": 0.5,
      "tool_choice": {
        "function": {
          "name": "f",
        },
        "type": "function",
      },
      "tools": [
        {
          "function": {
            "description": "does",
            "name": "f",
            "parameters": {
              "type": "object",
            },
          },
          "type": "function",
        },
      ],
      "top_p": 0.9,
    }
  `)
})

test('a vendor that knows no schemas gets the schema in words', () => {
  const schema = { type: 'object', required: ['city'] }
  const body = build(
    { messages: [], responseFormat: { type: 'json_schema', name: 'out', schema } },
    'deepseek',
  )
  expect(body.response_format).toEqual({ type: 'json_object' })
  expect(body.messages[0].content).toContain(JSON.stringify(schema))
})

test('reasoning is sent back only where the vendor wants it', () => {
  const messages = [{ role: 'assistant', content: 'a', reasoning: { text: 'because' } }] as const
  expect(build({ messages }, 'deepseek').messages[0]).toMatchObject({ reasoning_content: 'because' })
  expect(build({ messages }).messages[0]).toEqual({ role: 'assistant', content: 'a' })
})
