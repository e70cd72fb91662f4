/** What holds for every input, hostile ones included: the right parts, or a clear error, in bounded memory and time. */

import { createGzip, gzipSync } from 'node:zlib'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { DEFAULT_LIMITS } from '../../src/providers/attempt/create-upstream.ts'
import { createDecoder } from '../../src/providers/body/content-encoding.ts'
import { createGate } from '../../src/providers/body/content-gate.ts'
import { createLineReader } from '../../src/providers/body/lines.ts'
import { type BodyVerdict, createBodyReader } from '../../src/providers/body/response-body.ts'
import { createSseReader } from '../../src/providers/body/sse.ts'
import { createCollector } from '../../src/providers/collect.ts'
import { MAX_JSON_DEPTH, parseJson } from '../../src/providers/narrow.ts'
import { openaiChat } from '../../src/providers/protocols/openai-chat.ts'
import { createToolAssembler } from '../../src/providers/protocols/tool-calls.ts'
import type { StreamPart } from '../../src/providers/types.ts'
import { createRedactor } from '../../src/telemetry/redaction.ts'
import { body as answerWith, callOf } from './calls.ts'
import { chunk, event } from './upstream-server.ts'

type Read = { readonly parts: readonly StreamPart[]; readonly verdict: BodyVerdict; readonly text: string }

/** Reads a body that comes in these chunks. */
function read(chunks: readonly Uint8Array[], contentType = 'text/event-stream', status = 200): Read {
  const parts: StreamPart[] = []
  const collector = createCollector('r/m')
  const emit = (part: StreamPart): void => {
    parts.push(part)
    collector.add(part)
  }
  const reader = createBodyReader({
    status,
    headers: { 'content-type': contentType },
    mapper: openaiChat.createMapper(emit, { toolArgumentBytes: 10_000, newId: () => 'id' }),
    framing: 'sse',
    streamed: true,
    limits: DEFAULT_LIMITS,
    excerpt: { secrets: [], redactor: createRedactor(), sent: '' },
    now: () => 0,
  })
  for (const piece of chunks) if (reader.push(piece)) break
  return { parts, verdict: reader.end(), text: collector.answer().text }
}

/** Milliseconds that `work` takes; more than `limitMs` is a hang to whoever waits. */
function within<T>(limitMs: number, work: () => T): T {
  const startedAt = performance.now()
  const result = work()
  expect(performance.now() - startedAt).toBeLessThan(limitMs)
  return result
}

const cutAt = (bytes: Buffer, at: number): Buffer[] => [bytes.subarray(0, at), bytes.subarray(at)]
const word = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 12 })
const eol = fc.constantFrom('\n', '\r\n', '\r')

describe('event streams', () => {
  test('give the same answer wherever they are cut in two', () => {
    fc.assert(
      fc.property(fc.array(word, { minLength: 1, maxLength: 4 }), eol, fc.boolean(), (words, end, bom) => {
        const events = words.map((content) => chunk({ content })).join('') + chunk({}, 'stop')
        const text = `${bom ? '\ufeff' : ''}${events}${event('[DONE]')}`.replaceAll('\n', end)
        const bytes = Buffer.from(text)
        const whole = read([bytes])
        expect(whole.verdict.type).toBe('complete')
        expect(whole.text).toBe(words.join(''))
        for (let at = 1; at < bytes.length; at++) {
          const { text: answer, verdict } = read(cutAt(bytes, at))
          expect([answer, verdict.type]).toEqual([whole.text, 'complete'])
        }
      }),
      { numRuns: 20 },
    )
  })

  test('that end anywhere before their end give a prefix and no finish', () => {
    const bytes = Buffer.from(chunk({ content: 'naïve ' }) + chunk({ content: '🙂 text' }))
    for (let at = 0; at < bytes.length; at++) {
      const { verdict, parts, text } = read([bytes.subarray(0, at)])
      expect(verdict.type).toBe('failed')
      expect(parts.some(({ type }) => type === 'finish')).toBe(false)
      expect('naïve 🙂 text'.startsWith(text)).toBe(true)
    }
  })

  test('of any bytes at all end in a verdict and never throw', () => {
    const junk = fc.array(
      fc.oneof(
        fc.uint8Array({ maxLength: 60 }),
        fc
          .constantFrom(
            'data: ',
            '\n\n',
            ': x\n',
            'event: error\n',
            '{"choices":[',
            '[DONE]',
            '}',
            'error: {',
          )
          .map((text) => new Uint8Array(Buffer.from(text))),
      ),
      { maxLength: 30 },
    )
    fc.assert(
      fc.property(junk, fc.constantFrom(200, 404, 500), (chunks, status) => {
        const { verdict, parts } = read(chunks, 'text/event-stream', status)
        if (verdict.type === 'failed') expect(verdict.error.message).not.toContain('<')
        expect(parts.filter(({ type }) => type === 'finish').length).toBe(verdict.type === 'complete' ? 1 : 0)
      }),
      { numRuns: 300 },
    )
  })
})

describe('hostile JSON', () => {
  const nested = (depth: number, [open, close]: readonly [string, string]): string =>
    `${open.repeat(depth)}1${close.repeat(depth)}`

  test.each([
    ['lists', ['[', ']']],
    ['objects', ['{"a":', '}']],
  ] as const)('of %s is read up to a limit and refused beyond, at any depth', (_what, brackets) => {
    expect(parseJson(nested(MAX_JSON_DEPTH, brackets))).toBeDefined()
    fc.assert(
      fc.property(fc.integer({ min: MAX_JSON_DEPTH + 1, max: 200_000 }), (depth) => {
        expect(within(500, () => parseJson(nested(depth, brackets)))).toBeUndefined()
      }),
      { numRuns: 15 },
    )
    const deep = `data: {"choices":[{"delta":{"x":${nested(100_000, brackets)}}}]}\n\n`
    expect(read([Buffer.from(deep)]).verdict).toMatchObject({ type: 'failed', error: { category: 'server' } })
  })

  test('brackets inside strings are no depth', () => {
    fc.assert(
      fc.property(
        fc.constantFrom('[', '{', '\\"[', '\\\\{'),
        fc.integer({ min: 65, max: 500 }),
        (mark, count) => {
          const text = JSON.stringify({ a: mark.repeat(count) })
          expect(parseJson(text)?.value).toEqual({ a: mark.repeat(count) })
        },
      ),
    )
  })

  test('reaches no prototype, however its key is written, as a body and as tool arguments', () => {
    const keys = ['"__proto__"', '"\\u005f_proto__"', '"\\u005F\\u005fproto\\u005f_"', '"constructor"']
    for (const key of keys) {
      const value = key === '"constructor"' ? '{"prototype":{"x":1}}' : '{"x":1}'
      const parts: StreamPart[] = []
      const tools = createToolAssembler((part) => parts.push(part), { maxBytes: 1000, newId: () => 'id' })
      const text = `{"a":{${key}:${value}}}`
      tools.add({ index: 0, id: 'a', name: 'f', text, position: 0, count: 1, freeForm: false })
      expect(tools.flush(false)).toBeUndefined()
      const call = parts.find((part) => part.type === 'tool_call')
      expect(JSON.stringify(call?.input)).toBe(JSON.stringify(JSON.parse(text)))
      read([Buffer.from(`data: {"choices":[],${key}:${value}}\n\n`)])
    }
    expect(Object.hasOwn(Object.prototype, 'x')).toBe(false)
    expect(parseJson('{"text":"about __proto__ and constructor.prototype"}')).toBeDefined()
    expect(parseJson('{"constructor":"Ferrari"}')).toBeDefined()
    expect(parseJson('{"text":"caf\\u0065"}')?.value).toEqual({ text: 'cafe' })
  })

  test('with numbers beyond any measure gives counts that are null, and an answer', () => {
    const number = fc.constantFrom(
      '1e999',
      '-1e999',
      '9'.repeat(400),
      '-0',
      '1e-999',
      `0.${'1'.repeat(2000)}`,
      '-5',
    )
    fc.assert(
      fc.property(number, number, (a, b) => {
        const usage = `{"prompt_tokens":${a},"completion_tokens":${b},"total_tokens":${a}}`
        const text = `${chunk({ content: 'x' }, 'stop')}data: {"choices":[],"usage":${usage}}\n\n${event('[DONE]')}`
        const { verdict, parts } = read([Buffer.from(text)])
        expect(verdict.type).toBe('complete')
        const usagePart = parts.find((part) => part.type === 'usage')
        for (const count of [usagePart?.inputTokens, usagePart?.outputTokens, usagePart?.totalTokens]) {
          if (count != null) expect(Number.isFinite(count) && count >= 0).toBe(true)
        }
      }),
    )
  })

  test('is any value at all, and still ends in a verdict', () => {
    fc.assert(
      fc.property(fc.json({ maxDepth: 6 }), fc.boolean(), (text, isWhole) => {
        const chunks = [Buffer.from(isWhole ? text : `data: ${text}\n\n`)]
        expect(['complete', 'failed']).toContain(read(chunks).verdict.type)
      }),
      { numRuns: 500 },
    )
  })
})

describe('what never ends', () => {
  const piece = Buffer.alloc(64, 'x')

  test.each([
    ['a line', 'data: x'],
    ['a field name', 'x'],
    ['a comment', ': x'],
    ['white space', '   '],
    ['a page', '<html>'],
    ['an object', '{"a":"'],
  ])('%s is given up in bounded memory and time', (_what, start) => {
    const before = process.memoryUsage().arrayBuffers + process.memoryUsage().heapUsed
    const { verdict } = within(5000, () => {
      const endless = Array.from({ length: 80_000 }, () => piece)
      return read([Buffer.from(start), ...endless])
    })
    expect(verdict.type).toBe('failed')
    const after = process.memoryUsage().arrayBuffers + process.memoryUsage().heapUsed
    expect(after - before).toBeLessThan(150_000_000)
  })

  test('lines of one byte a chunk stay linear', () => {
    const overflows: string[] = []
    within(5000, () => {
      const limits = { lineBytes: 300_000, eventBytes: 300_000 }
      const lines = createLineReader(
        { onLine: () => {}, onOverflow: () => void overflows.push('line') },
        limits,
      )
      const events = createSseReader(
        { onEvent: () => {}, onStrayLine: () => {}, onOverflow: () => void overflows.push('event') },
        limits,
      )
      const gate = createGate({ contentType: undefined, framing: 'sse', streamed: true })
      gate.push(Buffer.from(':'))
      for (let i = 0; i < 400_000; i++) {
        lines.push(piece.subarray(0, 1))
        events.push(piece.subarray(0, 1))
        gate.push(piece.subarray(0, 1))
      }
    })
    expect(overflows.sort()).toEqual(['event', 'line'])
  })

  test('redaction of a megabyte made to slow it down takes no second', () => {
    const redactor = createRedactor(['s3cret-value/one', 's3cret-value/two'])
    const text = fc.constantFrom(
      'sk-',
      'Bearer ',
      'password',
      'api_key: ',
      '?key=',
      '//a@',
      'x-api-key":"',
      '<title>',
    )
    fc.assert(
      fc.property(text, text, (a, b) => {
        const hostile = (a + b).repeat(1_000_000 / (a.length + b.length))
        within(1000, () => redactor.text(hostile, { cutStart: true, cutEnd: true }))
      }),
      { numRuns: 20 },
    )
  })
})

describe('compression', () => {
  test('of ten megabytes to ten gigabytes is given up long before that', async () => {
    const zeros = Buffer.alloc(1_048_576)
    let made = 0
    let peak = 0
    const before = process.memoryUsage().rss
    const error = await new Promise<Error>((resolve, reject) => {
      const decoder = createDecoder('gzip', {
        push: () => {
          peak = Math.max(peak, process.memoryUsage().rss)
        },
        end: () => reject(new Error('a bomb was taken for a body')),
        fail: (failure) => resolve(failure),
      })
      const bomb = createGzip({ level: 9 })
      const feed = (): void => {
        // 10,240 times 1 MB would follow, if anybody wanted it.
        if (made++ < 10_240) bomb.write(zeros, () => setImmediate(feed))
      }
      bomb.on('data', (bytes: Buffer) => decoder?.push(bytes))
      feed()
    }).finally(() => {
      made = 10_240
    })
    expect(error).toMatchObject({ code: 'server/binary_payload' })
    expect(peak - before).toBeLessThan(300_000_000)
  }, 60_000)

  test.each([1, 3])('of a bomb in %i layers over the wire is a clear error', async (layers) => {
    let bomb: Buffer = gzipSync(Buffer.alloc(200_000_000))
    for (let layer = 1; layer < layers; layer++) bomb = gzipSync(bomb)
    const encoding = Array.from({ length: layers }, () => 'gzip').join(', ')
    const headers = { 'content-encoding': encoding }
    const { error } = await callOf(answerWith(bomb, 'application/json', 200, headers))
    expect(error?.code).toBe('server/binary_payload')
  })
})
