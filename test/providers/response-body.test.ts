import { expect, test } from 'vitest'
import { DEFAULT_LIMITS } from '../../src/providers/attempt/create-upstream.ts'
import {
  type BodyReader,
  type BodyVerdict,
  createBodyReader,
} from '../../src/providers/body/response-body.ts'
import { createCollector } from '../../src/providers/collect.ts'
import { openaiChat } from '../../src/providers/protocols/openai-chat.ts'
import type { Answer, Limits } from '../../src/providers/types.ts'
import { createRedactor } from '../../src/telemetry/redaction.ts'
import { rechunk, rechunkBytes, type Seeded, seeded } from './rechunk.ts'
import { chunk, completion, event } from './upstream-server.ts'

type Read = { readonly verdict: BodyVerdict; readonly answer: Answer; readonly kind: string | undefined }
type ReadOptions = {
  readonly type?: string
  readonly status?: number
  readonly streamed?: boolean
  readonly limits?: Partial<Limits>
}

function open(options: ReadOptions = {}): { reader: BodyReader; answer: () => Answer } {
  const { type = 'text/event-stream', status = 200, streamed = true, limits } = options
  const collector = createCollector('p/m')
  const reader = createBodyReader({
    status,
    headers: { 'content-type': type },
    mapper: openaiChat.createMapper(collector.add, { toolArgumentBytes: 1000, newId: () => 'id' }),
    framing: 'sse',
    streamed,
    limits: { ...DEFAULT_LIMITS, ...limits },
    excerpt: { secrets: [], redactor: createRedactor(), sent: '' },
    now: () => 0,
  })
  return { reader, answer: collector.answer }
}

function read(chunks: readonly (Uint8Array | string)[], options?: ReadOptions): Read {
  const { reader, answer } = open(options)
  for (const piece of chunks) reader.push(typeof piece === 'string' ? Buffer.from(piece) : piece)
  return { verdict: reader.end(), answer: answer(), kind: reader.kind }
}

const reasonOf = ({ verdict }: Read): string =>
  verdict.type === 'failed' ? verdict.error.reason : verdict.type

const TEXT = 'Grüße 😀 "世界"\n'
const STREAM =
  [...TEXT].map((letter) => chunk({ content: letter })).join('') + chunk({}, 'stop') + event('[DONE]')
const JSON_BODY = JSON.stringify(completion({ content: TEXT }))

const streams: readonly [name: string, body: string][] = [
  ['LF', STREAM],
  ['CRLF', STREAM.replaceAll('\n', '\r\n')],
  ['CR', STREAM.replaceAll('\n', '\r')],
  ['a byte order mark', `\ufeff${STREAM}`],
  ['no space after data:', STREAM.replaceAll('data: ', 'data:')],
  ['comments', `: OPENROUTER PROCESSING\n\n${STREAM.replaceAll('\n\n', '\n\n: keep-alive\n\n')}`],
  ['unknown fields, retries and events without data', `retry: 1\nfoo: bar\n\nevent: ping\n\n${STREAM}`],
  ['no blank line at the end', STREAM.trimEnd()],
  ['no [DONE]', STREAM.replace('data: [DONE]\n\n', '')],
  ['data after [DONE]', `${STREAM}data: garbage\n\n`],
  ['blank lines first', `\n\n\n${STREAM}`],
]

test.each(streams)('a stream with %s is read whole, wherever it is cut', (name, body) => {
  const source: Seeded = seeded(name)
  for (const max of [1, 7, 64]) {
    const result = read(rechunk(body, source, max))
    expect(result).toMatchObject({ verdict: { type: 'complete' }, answer: { text: TEXT }, kind: 'sse' })
  }
})

test('bytes that are no UTF-8 become the same text, wherever they are cut', () => {
  const odd = [0x41, 0x80, 0xc2, 0xe2, 0x82, 0xed, 0xa0, 0xf0, 0x9f, 0x98, 0xf4, 0xff, 0xef, 0xbb, 0xbf]
  const source = seeded('no UTF-8')
  for (let round = 0; round < 100; round++) {
    const noise = Array.from({ length: 12 }, () => odd[Math.floor(source.random() * odd.length)]!)
    const [before, after] = chunk({ content: '#' }).split('#') as [string, string]
    const end = chunk({}, 'stop')
    const body = Buffer.concat([Buffer.from(before), Buffer.from(noise), Buffer.from(after + end)])
    const { answer } = read(rechunkBytes(body, source, 3))
    expect(answer.text).toBe(new TextDecoder('utf-8', { ignoreBOM: true }).decode(Buffer.from(noise)))
  }
})

const bodies: readonly [name: string, body: string, type: string][] = [
  ['a JSON answer to a stream request', JSON_BODY, 'application/json'],
  ['JSON labelled as a stream', JSON_BODY, 'text/event-stream'],
  ['JSON labelled as text', JSON_BODY, 'text/plain'],
  ['JSON after blank lines', `\n \n\n${JSON_BODY}`, 'application/json'],
  ['JSON after a byte order mark', `\ufeff${JSON_BODY}`, 'application/json'],
  ['JSON after comments', `: PROCESSING\n\n: PROCESSING\n\n${JSON_BODY}`, 'application/json'],
  ['JSON with CRLF after it', `${JSON_BODY}\r\n`, 'application/json'],
  ['a stream labelled JSON', STREAM, 'application/json'],
  ['a stream without a label', STREAM, ''],
]

test.each(bodies)('%s gives the same answer', (name, body, type) => {
  const source = seeded(name)
  for (const max of [1, 64]) {
    const result = read(rechunk(body, source, max), { type })
    expect(result).toMatchObject({ verdict: { type: 'complete' }, answer: { text: TEXT } })
  }
})

test.each([
  ['HTML', '<!DOCTYPE html><html><body>Hi</body></html>', 'html_payload'],
  ['HTML after comments and blank lines', ': x\n\n\n <html></html>', 'html_payload'],
  ['gzip without its label', Buffer.from([0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3]), 'binary_payload'],
  ['control characters', Buffer.from([1, 2, 3, 4]), 'binary_payload'],
  ['nothing', '', 'empty_body'],
  ['comments only', ': PROCESSING\n\n: PROCESSING\n\n', 'truncated_stream'],
  ['prose', 'Service temporarily down\nsorry', 'non_json'],
  ['a stream cut between events', chunk({ content: 'a' }), 'truncated_stream'],
  [
    'a stream cut inside an event',
    chunk({ content: 'a' }) + chunk({ content: 'b' }).slice(0, 30),
    'truncated_stream',
  ],
  ['a torn event after the finish reason', `${chunk({}, 'stop')}data: {"ch`, 'truncated_stream'],
  ['a malformed event', 'data: {nope}\n\ndata: [DONE]\n\n', 'sse_parse'],
  ['JSON cut short', JSON_BODY.slice(0, 40), 'truncated_stream'],
  [
    'an error inside the stream',
    chunk({ content: 'a' }) + event({ error: { message: 'x' } }),
    'stream_error',
  ],
  [
    'an error field',
    'error: {"code":400,"message":"exceeds the available context size"}\n\n',
    'context_length',
  ],
  ['an error event', 'event: error\ndata: {"message":"x","type":"overloaded_error"}\n\n', 'overloaded'],
  ['a page inside the stream', `${chunk({ content: 'a' })}<html>\n`, 'html_payload'],
])('%s is %s', (_name, body, expected) => {
  const type = expected === 'non_json' ? 'text/plain' : 'text/event-stream'
  expect(reasonOf(read([body], { type }))).toBe(expected)
})

test('an error field is seen wherever it is cut', () => {
  const body = 'error: {"code":400,"message":"exceeds the available context size"}\n\n'
  expect(reasonOf(read(rechunk(body, seeded('error field'), 5)))).toBe('context_length')
})

test('P4: what came before an error or a cut stays in the answer', () => {
  expect(read([chunk({ content: 'half' })]).answer).toMatchObject({ text: 'half', finishReason: null })
})

test('B2: a status other than 2xx gives no parts even if its body is an answer', () => {
  const result = read([JSON_BODY], { status: 500, type: 'application/json' })
  expect(reasonOf(result)).toBe('server_error')
  expect(result.answer.text).toBe('')
})

test('bodies and events are bounded', () => {
  const limits = { bodyBytes: 100, eventBytes: 50 }
  expect(reasonOf(read([`{"a":"${'x'.repeat(200)}`, 'more'], { limits, type: '' }))).toBe('server_error')
  expect(reasonOf(read([`data: ${'x'.repeat(60)}`, 'y'], { limits }))).toBe('server_error')
  expect(reasonOf(read([`data: ${'x'.repeat(40)}\n`, `data: ${'x'.repeat(40)}\n`], { limits }))).toBe(
    'server_error',
  )
})

test('a connection that breaks after the finish reason has cut nothing off', () => {
  const { reader, answer } = open()
  reader.push(Buffer.from(chunk({ content: 'all' }) + chunk({}, 'stop')))
  expect(reader.breakOff(new Error('reset') as never)).toEqual({ type: 'complete' })
  expect(answer()).toMatchObject({ text: 'all', finishReason: 'stop' })
})
