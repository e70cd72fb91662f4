/** One suite on every protocol, streamed and not: what an upstream says is what the caller gets. */

import { describe, expect, test } from 'vitest'

import { TurnkeeperError } from '../../src/errors.ts'
import { createCollector } from '../../src/providers/collect.ts'
import { createProvider } from '../../src/providers/provider.ts'
import type { Answer, FinishReason, ModelRequest, StreamPart } from '../../src/providers/types.ts'
import { rechunk, seeded } from '../providers/rechunk.ts'
import { type Answer as Serving, serve } from '../providers/upstream-server.ts'
import { anthropicEncoder } from './encoders/anthropic.ts'
import { COUNTS, type Encoder, type Script, type ScriptedCall } from './encoders/encoder.ts'
import { ollamaChatEncoder, ollamaGenerateEncoder } from './encoders/ollama.ts'
import { openaiChatEncoder } from './encoders/openai-chat.ts'
import { openaiResponsesEncoder } from './encoders/openai-responses.ts'

const ENCODERS = [
  openaiChatEncoder,
  openaiResponsesEncoder,
  anthropicEncoder,
  ollamaChatEncoder,
  ollamaGenerateEncoder,
]
const source = seeded('protocol conformance')
const hello: ModelRequest = { messages: [{ role: 'user', content: 'hi' }] }
const TEXT = ['Hé', 'llo ', '世界 ', '🎨', '!']

type Transport = { readonly encoder: Encoder; readonly stream: boolean }

const transports = ENCODERS.flatMap((encoder) =>
  [true, false].map((stream): [string, Transport] => [
    `${encoder.label} ${stream ? 'streamed' : 'whole'}`,
    { encoder, stream },
  ]),
)

describe.each(transports)('%s', (_label, transport) => {
  const { encoder, stream } = transport
  const can = (what: Encoder['lacks'][number]): boolean => !encoder.lacks.includes(what)
  const says = (script: Script): Promise<Outcome> => call(transport, sending(transport, script))

  test('text comes whole, with the name of the model and one finish at the end', async () => {
    const { parts, answer } = await says({ text: TEXT })
    expect(answer).toMatchObject({ text: TEXT.join(''), reasoning: null, toolCalls: [], model: 'm-2026' })
    expect(answer).toMatchObject({ finishReason: 'stop', rawFinishReason: encoder.finishes.stop })
    expect(parts[0]?.type).toBe('start')
    expect(parts.filter(({ type }) => type === 'finish' || type === 'error')).toHaveLength(1)
    expect(parts.at(-1)?.type).toBe('finish')
  })

  test('reasoning is kept apart from the text', async () => {
    const { answer } = await says({ reasoning: ['because ', 'of that'], text: TEXT })
    expect(answer.reasoning?.text).toBe('because of that')
    expect(answer.text).toBe(TEXT.join(''))
  })

  test.each(['normal', 'every'] as const)('usage is what was reported (%s)', async (usage) => {
    const { answer } = await says({ text: TEXT, usage })
    expect(answer.usage).toEqual({
      inputTokens: COUNTS.input,
      outputTokens: COUNTS.output,
      totalTokens: can('total') ? COUNTS.input + COUNTS.output : null,
      cachedInputTokens: can('cached') ? COUNTS.cached : null,
      reasoningTokens: can('reasoningTokens') ? COUNTS.reasoning : null,
    })
  })

  test('no usage part comes where none was reported', async () => {
    const { parts } = await says({ text: TEXT, usage: 'absent' })
    expect(parts.map(({ type }) => type)).not.toContain('usage')
  })

  const finishes = Object.entries(encoder.finishes).filter(
    ([reason]) => reason !== 'tool_calls' && reason !== 'refusal',
  )
  test.each(finishes)('the finish reason %s is told in our words and in theirs', async (reason, raw) => {
    const { answer } = await says({ text: TEXT, finish: reason as FinishReason })
    expect(answer).toMatchObject({ finishReason: reason, rawFinishReason: raw })
  })

  if (can('refusal')) {
    test('a refusal is not text', async () => {
      const { answer } = await says({ refusal: 'I will not', finish: 'refusal' })
      expect(answer).toMatchObject({ text: '', finishReason: 'refusal', refusal: 'I will not' })
    })
  }

  if (can('tools')) {
    describe('tool calls', () => {
      const paris: ScriptedCall = { id: 'a', name: 'weather', fragments: ['{"ci', 'ty":"Pa', 'ris"}'] }
      const tokyo: ScriptedCall = { id: 'b', name: 'weather', fragments: ['{"city"', ':"東', '京"}'] }
      const inputs = [{ city: 'Paris' }, { city: '東京' }]

      test('a single call comes after its pieces and before the finish', async () => {
        const { parts, answer } = await says({ calls: [paris], finish: 'tool_calls' })
        expect(answer.toolCalls).toEqual([{ id: 'a', name: 'weather', input: inputs[0] }])
        expect(answer.finishReason).toBe('tool_calls')
        const types = parts.map(({ type }) => type)
        expect(types.lastIndexOf('tool_call_delta')).toBeLessThan(types.indexOf('tool_call'))
        expect(types.indexOf('tool_call')).toBeLessThan(types.indexOf('finish'))
        const pieces = parts.filter((part) => part.type === 'tool_call_delta')
        expect(pieces.map(({ delta }) => delta).join('')).toBe('{"city":"Paris"}')
        expect(pieces[0]).toMatchObject({ index: 0, id: 'a', name: 'weather' })
      })

      test('beside text, both come', async () => {
        const { answer } = await says({ text: TEXT, calls: [paris], finish: 'tool_calls' })
        expect(answer.text).toBe(TEXT.join(''))
        expect(answer.toolCalls).toHaveLength(1)
      })

      test.each([
        ['in parallel', { calls: [paris, tokyo] }],
        ['without index', { calls: [paris, tokyo], withoutIndex: true }],
        ['without ids', { calls: [without(paris), without(tokyo)] }],
        ['with one id twice', { calls: [paris, { ...tokyo, id: 'a' }] }],
      ] satisfies [string, Script][])('two calls %s stay two', async (_name, script) => {
        const { answer } = await says({ ...script, finish: 'tool_calls' })
        expect(answer.toolCalls.map(({ input }) => input)).toEqual(inputs)
        expect(new Set(answer.toolCalls.map(({ id }) => id)).size).toBe(2)
        expect(answer.toolCalls.every(({ id }) => id !== '')).toBe(true)
      })

      test.each([
        ['null', null],
        ['an empty object', ['{}']],
      ])('arguments that are %s are no arguments', async (_name, fragments) => {
        const { answer } = await says({ calls: [{ id: 'a', name: 'now', fragments }], finish: 'tool_calls' })
        expect(answer.toolCalls).toEqual([{ id: 'a', name: 'now', input: {} }])
      })

      if (stream && encoder.protocol !== 'ollama') {
        test('arguments cut by the token limit give no call, and show why', async () => {
          const { answer } = await says({ calls: [{ ...paris, fragments: ['{"ci'] }], finish: 'length' })
          expect(answer).toMatchObject({ toolCalls: [], finishReason: 'length' })
        })
      }
    })
  }

  test('an error before any content is an error, in an answer of any status', async () => {
    for (const status of [200, 500]) {
      const { error, parts } = await call(transport, (response) => {
        response.writeHead(status, { 'content-type': 'application/json' })
        response.end(JSON.stringify(encoder.errorBody('boom')))
      })
      expect(error?.category).toBe('server')
      expect(parts.map(({ type }) => type)).toEqual(['error'])
    }
  })

  if (stream) {
    test('an error inside or after the content keeps what had come', async () => {
      const frames = encoder.frames({ text: TEXT })
      const content = frames.slice(0, -encoder.endFrames({}))
      for (const kept of [content.slice(0, -2), content]) {
        const { error } = await call(transport, sendingFrames(encoder, [...kept, encoder.errorFrame('boom')]))
        expect(error).toMatchObject({ category: 'server' })
        const { text } = partialOf(error)
        expect(text).not.toBe('')
        expect(TEXT.join('').startsWith(text)).toBe(true)
      }
    })
  }

  test('an answer that stops short is truncated, with its beginning kept', async () => {
    const whole = JSON.stringify(encoder.json({ text: TEXT }))
    const frames = encoder.frames({ text: TEXT })
    const serving: Serving = stream
      ? sendingFrames(encoder, frames.slice(0, -encoder.endFrames({})))
      : (response) => {
          response.writeHead(200, { 'content-type': 'application/json' })
          response.end(Buffer.from(whole).subarray(0, whole.length >> 1))
        }
    const { error } = await call(transport, serving)
    expect(error?.code).toBe('network/truncated_stream')
    expect(partialOf(error).text).toBe(stream ? TEXT.join('') : '')
  })

  test('an abort ends the call at once, with what had come', async () => {
    const abort = new AbortController()
    const [frame] = encoder.frames({ text: ['Hello'] }).filter((candidate) => candidate.includes('Hello'))
    const { error } = await call(
      transport,
      (response) => {
        response.writeHead(200, { 'content-type': stream ? encoder.contentType : 'application/json' })
        response.write(stream ? frame : '{')
        setTimeout(() => abort.abort(), 30)
      },
      abort.signal,
    )
    expect(error?.code).toBe('turn/cancelled')
  })
})

test.each(ENCODERS.map((encoder): [string, Encoder] => [encoder.label, encoder]))(
  '%s gives the same answer streamed and whole',
  async (_label, encoder) => {
    const calls = [{ id: 'a', name: 'weather', fragments: ['{"city":', '"Paris"}'] }]
    const script: Script = encoder.lacks.includes('tools')
      ? { reasoning: ['so'], text: TEXT }
      : { reasoning: ['so'], text: TEXT, calls, finish: 'tool_calls' }
    const [streamed, whole] = await Promise.all(
      [true, false].map((stream) => call({ encoder, stream }, sending({ encoder, stream }, script))),
    )
    expect(streamed?.answer).toEqual(whole?.answer)
    expect(streamed?.answer.text).toBe(TEXT.join(''))
  },
)

type Outcome = {
  readonly parts: readonly StreamPart[]
  /** Throws where the call failed. */
  readonly answer: Answer
  readonly error: TurnkeeperError | undefined
}

async function call(
  { encoder, stream }: Transport,
  serving: Serving,
  signal?: AbortSignal,
): Promise<Outcome> {
  const { protocol, endpoint } = encoder
  await using server = await serve(serving)
  await using upstream = createProvider({
    protocol,
    ...(endpoint !== undefined && { endpoint }),
    baseUrl: server.baseUrl,
    model: 'm',
    provider: 'p',
    stream,
    retries: 0,
  })
  const parts: StreamPart[] = []
  for await (const part of upstream.stream(hello, { ...(signal && { signal }) })) parts.push(part)
  const last = parts.at(-1)
  const error = last?.type === 'error' ? last.error : undefined
  return {
    parts,
    error,
    get answer() {
      if (error !== undefined) throw new TurnkeeperError(error.reason, error.message)
      return collected(parts)
    },
  }
}

/** A whole answer, or its frames in pieces of random sizes. */
function sending({ encoder, stream }: Transport, script: Script): Serving {
  if (stream) return sendingFrames(encoder, encoder.frames(script))
  return (response) => {
    response.writeHead(200, { 'content-type': 'application/json' })
    response.end(JSON.stringify(encoder.json(script)))
  }
}

function sendingFrames(encoder: Encoder, frames: readonly string[]): Serving {
  return (response) => {
    response.writeHead(200, { 'content-type': encoder.contentType })
    for (const piece of rechunk(frames.join(''), source)) response.write(piece)
    response.end()
  }
}

function without({ name, fragments }: ScriptedCall): ScriptedCall {
  return { name, fragments }
}

function collected(parts: readonly StreamPart[]): Answer {
  const collector = createCollector('p/m')
  for (const part of parts) collector.add(part)
  return collector.answer()
}

/** What had come before the failure: the provider layer puts an answer there. */
function partialOf(error: TurnkeeperError | undefined): Answer {
  if (error?.partial === undefined) throw new Error('expected an error with a partial answer')
  return error.partial as Answer
}
