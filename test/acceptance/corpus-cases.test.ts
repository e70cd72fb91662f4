/** Cases that others wrote down: event streams, arguments in fragments, errors inside a 200; whole and re-chunked. */

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { createSseReader } from '../../src/providers/body/sse.ts'
import { createCollector } from '../../src/providers/collect.ts'
import { createAnswerMapper } from '../../src/providers/protocols/openai-chat/answer.ts'
import { createProvider } from '../../src/providers/provider.ts'
import type { Answer, StreamPart } from '../../src/providers/types.ts'
import { rechunkBytes, seeded } from '../providers/rechunk.ts'
import { serve } from '../providers/upstream-server.ts'
import { CORPUS } from './corpus.ts'

type SseCase = {
  readonly name: string
  readonly bytes: string
  readonly expected: readonly { readonly event: string; readonly data: string }[]
}
type ArgumentCase = {
  readonly name: string
  readonly fragments: readonly string[]
  readonly expected: unknown
}
type ErrorCase = {
  readonly name: string
  readonly id: string
  readonly endpoint: keyof typeof ENDPOINTS
  readonly stream: boolean
  readonly terminal: 'error' | 'truncated'
  readonly accept_categories: readonly string[] | null
  readonly partial_text: string
}
type Exchange = {
  readonly id: string
  readonly status: number
  readonly response_headers: Readonly<Record<string, string>>
  readonly response_body: string
}

const ENDPOINTS = {
  'chat.completions': { protocol: 'openai-chat' },
  responses: { protocol: 'openai-responses' },
  messages: { protocol: 'anthropic' },
  'ollama.chat': { protocol: 'ollama' },
  'ollama.generate': { protocol: 'ollama', endpoint: '/api/generate' },
} as const
const ROUNDS = 5
const source = seeded('cases of others')

test.each(casesOf<SseCase>('sse_cases.jsonl').map((one): [string, SseCase] => [one.name, one]))(
  'events: %s',
  (_name, { bytes, expected }) => {
    const body = Buffer.from(bytes, 'base64')
    const wanted = expected.map(({ event, data }) => [event, data])
    expect(eventsOf([body])).toEqual(wanted)
    for (let round = 0; round < ROUNDS; round++) expect(eventsOf(rechunkBytes(body, source))).toEqual(wanted)
  },
)

describe.each(
  casesOf<ArgumentCase>('tool_args_cases.jsonl').map((one): [string, ArgumentCase] => [one.name, one]),
)('arguments: %s', (_name, { fragments, expected }) => {
  test('as they were cut', () => expect(inputOf(fragments)).toEqual(wantedInput(expected)))
  test('cut anew', () => {
    const text = fragments.join('')
    for (let round = 0; round < ROUNDS; round++) {
      const pieces = [...text].flatMap((sign) => (source.random() < 0.3 ? ['', sign] : [sign]))
      expect(inputOf(pieces)).toEqual(wantedInput(expected))
    }
  })
})

const exchanges = exchangesOf(['exchanges.lite.jsonl'])
test.each(casesOf<ErrorCase>('stream_error_cases.jsonl').map((one): [string, ErrorCase] => [one.name, one]))(
  'inside a 200: %s',
  async (_name, one) => {
    const exchange = exchanges.get(one.id)
    if (exchange === undefined) throw new Error(`no recorded exchange ${one.id}`)
    for (const isCut of [false, true]) {
      const error = await failureOf(one, exchange, isCut)
      // Where nothing at all came, we say so.
      if (one.terminal === 'truncated') expect(['truncated_stream', 'empty_body']).toContain(error.reason)
      else expect(one.accept_categories).toContain(error.category)
      expect(error.partial.text).toBe(one.partial_text)
      expect(error.message).not.toMatch(/<html|<!doctype/i)
    }
  },
)

type Failure = {
  readonly reason: string
  readonly category: string
  readonly message: string
  readonly partial: Answer
}

async function failureOf(one: ErrorCase, exchange: Exchange, isCut: boolean): Promise<Failure> {
  const { status, response_headers: headers, response_body: text } = exchange
  const body = Buffer.from(text)
  await using server = await serve((response) => {
    response.writeHead(status, { 'content-type': headers['content-type'] ?? 'application/json' })
    for (const piece of isCut ? rechunkBytes(body, source) : [body]) response.write(piece)
    response.end()
  })
  await using upstream = createProvider({
    ...ENDPOINTS[one.endpoint],
    baseUrl: server.baseUrl,
    model: 'm',
    stream: one.stream,
    retries: 0,
  })
  const failure: unknown = await upstream.complete({ messages: [{ role: 'user', content: 'hi' }] }).then(
    () => undefined,
    (error: unknown) => error,
  )
  if (failure === undefined) throw new Error('expected the call to fail')
  return failure as Failure // complete rejects with nothing else
}

function eventsOf(chunks: readonly Uint8Array[]): string[][] {
  const events: string[][] = []
  const onEvent = (data: string, name = 'message'): void => {
    events.push([name === '' ? 'message' : name, data])
  }
  const fail = (): never => {
    throw new Error('an event outgrew its limit')
  }
  const reader = createSseReader(
    { onEvent, onStrayLine: () => {}, onOverflow: fail },
    { eventBytes: 8_388_608 },
  )
  for (const chunk of chunks) reader.push(chunk)
  return events
}

/** The input of the one call whose arguments come in `fragments`; undefined where they are refused. */
function inputOf(fragments: readonly string[]): unknown {
  const collector = createCollector('p/m')
  const emit = (part: StreamPart): void => collector.add(part)
  const mapper = createAnswerMapper(emit, { toolArgumentBytes: 1_000_000, newId: () => 'made' })
  const piece = (call: object, finish_reason: string | null = null): unknown =>
    mapper.event({ choices: [{ index: 0, delta: { tool_calls: [call] }, finish_reason }] }, undefined)
  piece({ index: 0, id: 'a', function: { name: 'f', arguments: '' } })
  for (const fragment of fragments) piece({ index: 0, function: { arguments: fragment } })
  mapper.event({ choices: [{ index: 0, delta: {}, finish_reason: 'tool_calls' }] }, undefined)
  const ending = mapper.end(true)
  return ending.type === 'complete' ? collector.answer().toolCalls[0]?.input : undefined
}

/** No arguments are `{}` with us, where a case leaves the choice between that and null. */
function wantedInput(expected: unknown): unknown {
  if (expected === null) return {}
  const isInvalid = typeof expected === 'object' && '$invalid' in expected
  return isInvalid ? undefined : expected
}

function exchangesOf(files: readonly string[]): ReadonlyMap<string, Exchange> {
  return new Map(files.flatMap((file) => casesOf<Exchange>(file)).map((one) => [one.id, one]))
}

/** The files are the word of their authors: their shape is trusted. */
function casesOf<T>(file: string): T[] {
  const lines = readFileSync(join(CORPUS, file), 'utf8').split('\n')
  return lines.filter((line) => line !== '').map((line) => JSON.parse(line) as T)
}
