/** One conversation with everything in it, said to every protocol; and what a protocol cannot be told. */

import { describe, expect, test } from 'vitest'
import type { JsonObject } from '../../src/providers/narrow.ts'
import { messagesToNeutral } from '../../src/providers/protocols/anthropic/to-neutral.ts'
import { DIALECTS } from '../../src/providers/protocols/dialects.ts'
import { chatToNeutral } from '../../src/providers/protocols/openai-chat/to-neutral.ts'
import type { ProtocolName } from '../../src/providers/protocols/protocol.ts'
import { PROTOCOLS } from '../../src/providers/protocols/registry.ts'
import type { Message, ModelRequest } from '../../src/providers/types.ts'

const PNG = { type: 'image', data: 'aW1n', mediaType: 'image/png' } as const
const schema = { type: 'object', properties: { city: { type: 'string' } } }
const messages: readonly Message[] = [
  { role: 'system', content: 'be brief' },
  { role: 'user', content: [{ type: 'text', text: 'look' }, PNG] },
  {
    role: 'assistant',
    content: 'I look',
    toolCalls: [
      { id: 'a', name: 'shot', input: { at: 1 } },
      { id: 'b', name: 'now', input: {} },
    ],
  },
  {
    role: 'tool',
    toolCallId: 'a',
    name: 'shot',
    content: [
      { type: 'text', text: 'done' },
      { type: 'image', url: 'data:image/png;base64,c2hvdA==' },
    ],
  },
  { role: 'tool', toolCallId: 'b', name: 'now', content: 'too late', isError: true },
  { role: 'user', content: 'go on' },
]
const request: ModelRequest = {
  messages,
  tools: [{ name: 'shot', description: 'takes a picture', inputSchema: { type: 'object' } }],
  toolChoice: 'auto',
  responseFormat: { type: 'json_schema', name: 'place', schema },
  parameters: { maxTokens: 99, temperature: 0.5, topP: 0.9 },
}

const shot = { type: 'image_url', image_url: { url: 'data:image/png;base64,c2hvdA==' } }
const picture = { type: 'image_url', image_url: { url: 'data:image/png;base64,aW1n' } }
const pngBlock = (data: string): object => ({
  type: 'image',
  source: { type: 'base64', media_type: 'image/png', data },
})
const about = { type: 'text', text: 'Image in the result of shot (a):' }

const EXPECTED: Readonly<Record<ProtocolName, object>> = {
  'openai-chat': {
    model: 'm',
    messages: [
      { role: 'system', content: 'be brief' },
      { role: 'user', content: [{ type: 'text', text: 'look' }, picture] },
      {
        role: 'assistant',
        content: 'I look',
        tool_calls: [
          { id: 'a', type: 'function', function: { name: 'shot', arguments: '{"at":1}' } },
          { id: 'b', type: 'function', function: { name: 'now', arguments: '{}' } },
        ],
      },
      { role: 'tool', tool_call_id: 'a', content: 'done' },
      { role: 'tool', tool_call_id: 'b', content: 'too late' },
      // Between a call and its results nothing may stand, so the picture follows them all.
      { role: 'user', content: [about, shot] },
      { role: 'user', content: 'go on' },
    ],
    tools: [
      {
        type: 'function',
        function: { name: 'shot', description: 'takes a picture', parameters: { type: 'object' } },
      },
    ],
    tool_choice: 'auto',
    response_format: { type: 'json_schema', json_schema: { name: 'place', schema, strict: true } },
    max_tokens: 99,
    temperature: 0.5,
    top_p: 0.9,
    stream: false,
  },
  'openai-responses': {
    model: 'm',
    input: [
      { role: 'system', content: 'be brief' },
      {
        role: 'user',
        content: [
          { type: 'input_text', text: 'look' },
          { type: 'input_image', image_url: 'data:image/png;base64,aW1n' },
        ],
      },
      { role: 'assistant', content: 'I look' },
      { type: 'function_call', call_id: 'a', name: 'shot', arguments: '{"at":1}' },
      { type: 'function_call', call_id: 'b', name: 'now', arguments: '{}' },
      {
        type: 'function_call_output',
        call_id: 'a',
        output: [
          { type: 'input_text', text: 'done' },
          { type: 'input_image', image_url: 'data:image/png;base64,c2hvdA==' },
        ],
      },
      { type: 'function_call_output', call_id: 'b', output: 'too late' },
      { role: 'user', content: 'go on' },
    ],
    tools: [
      {
        type: 'function',
        name: 'shot',
        description: 'takes a picture',
        parameters: { type: 'object' },
        strict: false,
      },
    ],
    tool_choice: 'auto',
    text: { format: { type: 'json_schema', name: 'place', schema, strict: true } },
    max_output_tokens: 99,
    temperature: 0.5,
    top_p: 0.9,
    store: false,
    stream: false,
  },
  anthropic: {
    model: 'm',
    system: 'be brief',
    messages: [
      { role: 'user', content: [{ type: 'text', text: 'look' }, pngBlock('aW1n')] },
      {
        role: 'assistant',
        content: [
          { type: 'text', text: 'I look' },
          { type: 'tool_use', id: 'a', name: 'shot', input: { at: 1 } },
          { type: 'tool_use', id: 'b', name: 'now', input: {} },
        ],
      },
      {
        role: 'user',
        content: [
          {
            type: 'tool_result',
            tool_use_id: 'a',
            content: [{ type: 'text', text: 'done' }, pngBlock('c2hvdA==')],
          },
          { type: 'tool_result', tool_use_id: 'b', content: 'too late', is_error: true },
          { type: 'text', text: 'go on' },
        ],
      },
    ],
    tools: [{ name: 'shot', description: 'takes a picture', input_schema: { type: 'object' } }],
    tool_choice: { type: 'auto' },
    output_config: { format: { type: 'json_schema', schema } },
    max_tokens: 99,
    temperature: 0.5,
    top_p: 0.9,
    stream: false,
  },
  ollama: {
    model: 'm',
    messages: [
      { role: 'system', content: 'be brief' },
      { role: 'user', content: 'look', images: ['aW1n'] },
      {
        role: 'assistant',
        content: 'I look',
        tool_calls: [
          { function: { name: 'shot', arguments: { at: 1 } } },
          { function: { name: 'now', arguments: {} } },
        ],
      },
      { role: 'tool', tool_name: 'shot', content: 'done' },
      { role: 'tool', tool_name: 'now', content: 'too late' },
      { role: 'user', content: about.text, images: ['c2hvdA=='] },
      { role: 'user', content: 'go on' },
    ],
    tools: [
      {
        type: 'function',
        function: { name: 'shot', description: 'takes a picture', parameters: { type: 'object' } },
      },
    ],
    format: schema,
    options: { num_predict: 99, temperature: 0.5, top_p: 0.9 },
    stream: false,
  },
}

const names = Object.keys(PROTOCOLS) as ProtocolName[] // the keys of a record of protocols

describe.each(names)('%s', (name) => {
  test('a conversation with tools, images and a schema is said whole', () => {
    expect(build(name, request)).toEqual(EXPECTED[name])
  })

  test('the limit of tokens is always sent', () => {
    expect(JSON.stringify(build(name, { messages: [] }))).toContain('4096')
  })

  test('JSON without a schema is asked for', () => {
    const body = build(name, { messages: [], responseFormat: { type: 'json' } })
    const asked = {
      'openai-chat': { response_format: { type: 'json_object' } },
      'openai-responses': { text: { format: { type: 'json_object' } } },
      anthropic: { system: expect.stringContaining('JSON') },
      ollama: { format: 'json' },
    }
    expect(body).toMatchObject(asked[name])
  })

  test('plain text is asked for in no special way', () => {
    expect(build(name, { messages, responseFormat: { type: 'text' } })).toEqual(build(name, { messages }))
  })

  test('an image by address goes as an address, or is refused where nobody would fetch it', () => {
    const url = 'https://example.com/a.png'
    const asking = (): JsonObject =>
      build(name, { messages: [{ role: 'user', content: [{ type: 'image', url }] }] })
    if (name === 'ollama') expect(asking).toThrow('Ollama fetches no images')
    else expect(JSON.stringify(asking())).toContain(url)
  })

  test('reasoning of another vendor is not sent back', () => {
    const foreign = JSON.stringify([{ type: 'elsewhere', data: 'opaque-to-all' }])
    const reasoning = { text: '', signature: foreign }
    const body = build(name, { messages: [{ role: 'assistant', content: 'x', reasoning }] })
    expect(JSON.stringify(body)).not.toContain('opaque-to-all')
  })
})

test('where a vendor knows no schemas, every OpenAI-style protocol and Anthropic tell it in words', () => {
  for (const name of ['openai-chat', 'openai-responses', 'anthropic'] as const) {
    const body = PROTOCOLS[name].buildRequest(request, {
      model: 'm',
      stream: false,
      dialect: DIALECTS.deepseek,
    })
    expect(JSON.stringify(body)).toContain('matches this JSON Schema')
    expect(JSON.stringify(body)).not.toContain('json_schema')
  }
})

test('Azure reads the key in a header of its own, Anthropic too; the others as a bearer', () => {
  const header = (name: ProtocolName, dialect: keyof typeof DIALECTS): object =>
    PROTOCOLS[name].authHeaders('k', DIALECTS[dialect])
  expect(header('openai-chat', 'azure')).toEqual({ 'api-key': 'k' })
  expect(header('openai-responses', 'azure')).toEqual({ 'api-key': 'k' })
  expect(header('openai-chat', 'generic')).toEqual({ authorization: 'Bearer k' })
  expect(header('anthropic', 'generic')).toEqual({ 'x-api-key': 'k' })
  expect(PROTOCOLS.anthropic.headers).toEqual({ 'anthropic-version': '2023-06-01' })
})

describe('ids of tool calls that crossed vendors', () => {
  const turn = (id: string): readonly Message[] => [
    { role: 'assistant', content: '', toolCalls: [{ id, name: 'f', input: {} }] },
    { role: 'tool', toolCallId: id, name: 'f', content: 'ok' },
  ]
  const idsOf = (body: JsonObject): string[] =>
    [...JSON.stringify(body).matchAll(/"(?:id|call_id|tool_call_id|tool_use_id)":"([^"]+)"/g)].map(
      ([, id]) => id as string,
    )
  const asking = [...turn('call_1'), ...turn('call_1'), ...turn('functions.f:0'), ...turn('x'.repeat(80))]

  test.each([
    ['openai-chat', 'generic', /^.{1,40}$/],
    ['openai-chat', 'mistral', /^[a-zA-Z0-9]{9}$/],
    ['openai-responses', 'openai', /^.{1,64}$/],
    ['anthropic', 'generic', /^[a-zA-Z0-9_-]{1,64}$/],
  ] as const)('are such as %s (%s) accepts, once each, with their results', (name, dialect, accepted) => {
    const context = { model: 'm', stream: false, dialect: DIALECTS[dialect] }
    const ids = idsOf(PROTOCOLS[name].buildRequest({ messages: asking }, context) as JsonObject)
    expect(ids).toHaveLength(8)
    expect(ids.every((id) => accepted.test(id))).toBe(true)
    expect(new Set(ids).size).toBe(4)
    for (let at = 0; at < ids.length; at += 2) expect(ids[at]).toBe(ids[at + 1])
  })
})

describe('from the wire', () => {
  test('a messages request comes back as it was, images in tool results included', () => {
    const neutral = messagesToNeutral(build('anthropic', request))
    const [, , , , , said] = messages
    expect(neutral.messages.slice(0, 3)).toEqual(messages.slice(0, 3))
    expect(neutral.messages[3]).toMatchObject({
      role: 'tool',
      toolCallId: 'a',
      name: 'shot',
      content: [
        { type: 'text', text: 'done' },
        { type: 'image', data: 'c2hvdA==', mediaType: 'image/png' },
      ],
    })
    expect(neutral.messages[4]).toEqual(messages[4])
    expect(neutral.messages[5]).toEqual({ ...said, content: [{ type: 'text', text: 'go on' }] })
    expect(neutral.parameters).toEqual(request.parameters)
    expect(neutral).toMatchObject({ tools: request.tools, toolChoice: 'auto', model: 'm' })
    expect(neutral.responseFormat).toEqual({ type: 'json_schema', name: 'answer', schema })
  })

  test('thinking, redacted thinking and one call at a time come back too', () => {
    const reasoning = { text: 'so', signature: 'sig' }
    const given: ModelRequest = {
      ...request,
      messages: [{ role: 'assistant', content: 'x', reasoning }],
      parameters: { maxTokens: 1, parallelToolCalls: false, stop: ['.'] },
      toolChoice: { name: 'shot' },
    }
    const neutral = messagesToNeutral(build('anthropic', given))
    expect(neutral).toMatchObject({ messages: given.messages, parameters: given.parameters })
    expect(neutral.toolChoice).toEqual({ name: 'shot' })
  })

  test('a chat request comes back as it was; pictures of results stay in the message that follows', () => {
    const neutral = chatToNeutral(build('openai-chat', request))
    expect(neutral.messages.slice(0, 3)).toEqual(messages.slice(0, 3))
    expect(neutral.messages[3]).toEqual({ role: 'tool', toolCallId: 'a', name: 'shot', content: 'done' })
    expect(neutral.messages[5]).toMatchObject({
      role: 'user',
      content: [{ type: 'text' }, { data: 'c2hvdA==' }],
    })
    expect(neutral).toMatchObject({
      tools: request.tools,
      responseFormat: request.responseFormat,
      parameters: request.parameters,
    })
  })

  test('a tool result with a picture crosses from Anthropic to OpenAI and back', () => {
    const chat = build('openai-chat', messagesToNeutral(build('anthropic', { messages })))
    expect(JSON.stringify(chat)).toContain('data:image/png;base64,c2hvdA==')
    const back = build('anthropic', chatToNeutral(chat))
    expect(JSON.stringify(back)).toContain('"data":"c2hvdA=="')
  })

  test('a picture inside a tool message of OpenAI form goes into the result of Anthropic', () => {
    const wire = {
      messages: [
        {
          role: 'assistant',
          content: null,
          tool_calls: [{ id: 'a', function: { name: 'f', arguments: '{}' } }],
        },
        { role: 'tool', tool_call_id: 'a', content: [{ type: 'text', text: 'see' }, shot] },
      ],
    }
    expect(build('anthropic', chatToNeutral(wire)).messages).toMatchObject([
      { role: 'assistant' },
      { role: 'user', content: [{ type: 'tool_result', content: [{ text: 'see' }, pngBlock('c2hvdA==')] }] },
    ])
  })
})

function build(name: ProtocolName, said: ModelRequest): JsonObject {
  const context = { model: 'm', stream: false, dialect: DIALECTS.generic, endpoint: PROTOCOLS[name].path }
  return PROTOCOLS[name].buildRequest(said, context) as JsonObject // every builder gives an object
}
