import { describe, expect, test } from 'vitest'
import { anthropicEncoder } from '../../../src/providers/encoders/anthropic.ts'
import type { Encoder, WireEvent } from '../../../src/providers/encoders/encoder.ts'
import { frameEvent } from '../../../src/providers/encoders/frames.ts'
import { openaiChatEncoder } from '../../../src/providers/encoders/openai-chat.ts'
import { openaiResponsesEncoder } from '../../../src/providers/encoders/openai-responses.ts'
import type { StreamPart } from '../../../src/providers/types.ts'

type Data = Record<string, unknown>

const STAMP = { id: '1', model: 'm', createdMs: 1_700_000_000_000 }
const START: StreamPart = { type: 'start', requestId: null, model: 'm', route: 'p/m' }
const FINISH: StreamPart = { type: 'finish', reason: 'tool_calls', rawReason: null }
const fragment = (index: number, delta: string, id?: string): StreamPart => ({
  type: 'tool_call_delta',
  index,
  delta,
  ...(id !== undefined && { id, name: `tool_${id}` }),
})
const call = (index: number, id: string, input: unknown): StreamPart => ({
  type: 'tool_call',
  ...{ index, id, name: `tool_${id}`, input },
})

/** Two calls whose fragments alternate, with text between them. */
const INTERLEAVED: readonly StreamPart[] = [
  START,
  fragment(0, '{"a":', 'x'),
  fragment(1, '', 'y'),
  fragment(1, '{"b":'),
  { type: 'text', delta: 'Between.' },
  fragment(0, '1}'),
  fragment(1, '2}'),
  call(0, 'x', { a: 1 }),
  call(1, 'y', { b: 2 }),
  FINISH,
]

function encoded(encoder: Encoder, parts: readonly StreamPart[]): readonly WireEvent[] {
  const encoding = encoder.stream(STAMP)
  return parts.flatMap((part) => encoding.part(part))
}

const dataOf = (events: readonly WireEvent[]): readonly Data[] =>
  events.filter(({ data }) => data !== '[DONE]').map(({ data }) => data as Data)

describe('anthropic', () => {
  test('blocks follow one another, however the parts alternate, and nothing is lost', () => {
    const events = dataOf(encoded(anthropicEncoder, INTERLEAVED))
    let open: unknown
    const blocks: { block: Data; text: string }[] = []
    for (const event of events) {
      const { content_block: block, delta, index, type } = event as Data & { delta?: Data }
      if (type === 'content_block_start') {
        expect(open).toBeUndefined()
        open = index
        blocks.push({ block: block as Data, text: '' })
      }
      if (type === 'content_block_delta') {
        expect(index).toBe(open)
        blocks[index as number]!.text += String(delta?.partial_json ?? delta?.text)
      }
      if (type === 'content_block_stop') open = undefined
    }
    expect(blocks.map(({ block, text }) => [block.id ?? block.type, text])).toEqual([
      ['x', '{"a":1}'],
      ['y', '{"b":2}'],
      ['text', 'Between.'],
    ])
    expect(events.at(-1)).toEqual({ type: 'message_stop' })
  })

  test('what waited for a call that was cut off is said before the end', () => {
    const parts: readonly StreamPart[] = [
      START,
      fragment(0, '{"a":', 'x'),
      { type: 'text', delta: 'After.' },
      { type: 'finish', reason: 'length', rawReason: null },
    ]
    const names = encoded(anthropicEncoder, parts).map(({ name }) => name)
    expect(names.slice(-5)).toEqual([
      'content_block_start',
      'content_block_delta',
      'content_block_stop',
      'message_delta',
      'message_stop',
    ])
  })

  test('input tokens are told without the cached ones', () => {
    const usage: StreamPart = {
      type: 'usage',
      inputTokens: 100,
      outputTokens: 5,
      totalTokens: 105,
      cachedInputTokens: 80,
      reasoningTokens: null,
    }
    const events = dataOf(encoded(anthropicEncoder, [START, usage, FINISH]))
    expect(events.find(({ type }) => type === 'message_delta')).toMatchObject({
      usage: { input_tokens: 20, cache_read_input_tokens: 80, output_tokens: 5 },
    })
  })
})

describe('openai-responses', () => {
  test('events are numbered without a gap and items keep their places', () => {
    const events = dataOf(encoded(openaiResponsesEncoder, INTERLEAVED))
    expect(events.map((event) => event.sequence_number)).toEqual(events.map((_, index) => index))
    const last = events.at(-1) as { response: { output: Data[]; status: string } }
    expect(last.response.status).toBe('completed')
    expect(last.response.output).toMatchObject([
      { type: 'function_call', call_id: 'x', arguments: '{"a":1}' },
      { type: 'function_call', call_id: 'y', arguments: '{"b":2}' },
      { type: 'message', content: [{ text: 'Between.' }] },
    ])
  })

  test('an error goes on in the numbering', () => {
    const encoding = openaiResponsesEncoder.stream(STAMP)
    const before = encoding.part(START)
    const after = encoding.fail({ status: 500, type: 'server_error', message: 'Broken.' })
    expect(dataOf([...before, ...after]).map((event) => event.sequence_number)).toEqual([0, 1, 2, 3])
    expect(after.map(({ name }) => name)).toEqual(['error', 'response.failed'])
  })

  test('an answer cut by a limit is incomplete and says why', () => {
    const parts: readonly StreamPart[] = [START, { type: 'finish', reason: 'length', rawReason: null }]
    const last = encoded(openaiResponsesEncoder, parts).at(-1)
    expect(last).toMatchObject({
      name: 'response.incomplete',
      terminal: true,
      data: { response: { incomplete_details: { reason: 'max_output_tokens' } } },
    })
  })
})

describe('openai-chat', () => {
  test('a call that came whole is announced and then told at once', () => {
    const events = dataOf(encoded(openaiChatEncoder, [START, call(0, 'x', {}), FINISH]))
    const calls = events.flatMap((event) => (event as never as Chunk).choices[0].delta.tool_calls ?? [])
    expect(calls).toEqual([
      { index: 0, id: 'x', type: 'function', function: { name: 'tool_x', arguments: '' } },
      { index: 0, function: { arguments: '{}' } },
    ])
  })

  test('a refusal is told apart from the text', () => {
    const refused: StreamPart = { type: 'finish', reason: 'refusal', rawReason: null, refusal: 'No.' }
    const events = dataOf(encoded(openaiChatEncoder, [START, refused]))
    expect(JSON.stringify(events)).toContain('"delta":{"refusal":"No."}')
  })
})

type Chunk = { choices: [{ delta: { tool_calls?: unknown[] } }] }

test('events are framed as each protocol frames them', () => {
  expect(frameEvent({ data: '[DONE]' }, 'sse')).toBe('data: [DONE]\n\n')
  expect(frameEvent({ name: 'a', data: { b: '\n' } }, 'sse')).toBe('event: a\ndata: {"b":"\\n"}\n\n')
  expect(frameEvent({ data: { done: true } }, 'ndjson')).toBe('{"done":true}\n')
})
