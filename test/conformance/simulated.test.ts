/**
 * Every protocol, streamed and not, against the simulated upstream over real HTTP: what it says on request is what
 * the caller gets, and what goes wrong on request is told as what it is.
 */

import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'

import type { TurnkeeperError } from '../../src/errors.ts'
import { createCollector } from '../../src/providers/collect.ts'
import { createProvider, type ProviderOptions } from '../../src/providers/provider.ts'
import { createSim, type Sim } from '../../src/providers/sim/sim.ts'
import type { Answer, ModelRequest, StreamPart, ToolSpec } from '../../src/providers/types.ts'

type Target = {
  readonly protocol: ProviderOptions['protocol'] & string
  readonly endpoint?: string
  /** Appended to the address of the simulated upstream. */
  readonly base: string
  /** What the protocol cannot say. */
  readonly lacks: readonly ('tools' | 'total')[]
}

const TARGETS: Readonly<Record<string, Target>> = {
  'openai-chat': { protocol: 'openai-chat', base: '/v1', lacks: [] },
  'openai-responses': { protocol: 'openai-responses', base: '/v1', lacks: [] },
  anthropic: { protocol: 'anthropic', base: '', lacks: ['total'] },
  'ollama chat': { protocol: 'ollama', base: '', lacks: ['total'] },
  'ollama generate': { protocol: 'ollama', endpoint: '/api/generate', base: '', lacks: ['tools', 'total'] },
}

const TEXT = `Hé, llo  世界 🎨!\n${'And so it goes on, '.repeat(12)}to its end.`
const hello = asking(`say ${JSON.stringify(TEXT)}`)
const weather: ToolSpec = {
  name: 'weather',
  description: 'The weather of a city.',
  inputSchema: { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] },
}
/** Enough for the start of a stream, too little for its end. */
const SOME_BYTES = 4000

let sim: Sim
beforeAll(async () => {
  sim = await createSim({ seed: 7 })
})
afterAll(() => sim.close())

const transports = Object.entries(TARGETS).flatMap(([label, target]) =>
  [true, false].map((stream) => ({ label: `${label} ${stream ? 'streamed' : 'whole'}`, target, stream })),
)

describe.each(transports)('$label', ({ target, stream }) => {
  const call = (request: ModelRequest, options: CallOptions = {}): Promise<Outcome> =>
    outcomeOf(target, request, { stream, ...options })

  test('text comes whole, with one start and one finish', async () => {
    const { parts, answer } = await call(hello)
    expect(answer).toMatchObject({ text: TEXT, toolCalls: [], finishReason: 'stop', model: 'sim' })
    const types = parts.map(({ type }) => type)
    expect([types[0], types.at(-1)]).toEqual(['start', 'finish'])
    expect(types.filter((type) => type === 'start' || type === 'finish')).toHaveLength(2)
    expect(types.filter((type) => type === 'text').length).toBeGreaterThan(stream ? 3 : 0)
  })

  test('reasoning is kept apart from the text', async () => {
    const { answer } = await call(hello, { model: 'sim-reasoning' })
    expect(answer.text).toBe(TEXT)
    expect(answer.reasoning?.text).toMatch(/\w/)
  })

  test('usage is counted, for what was asked and for what was said', async () => {
    const { answer } = await call(hello)
    const { usage } = answer
    expect(usage?.inputTokens).toBeGreaterThan(0)
    expect(usage?.outputTokens).toBeGreaterThan(TEXT.length / 8)
    const total = (usage?.inputTokens ?? 0) + (usage?.outputTokens ?? 0)
    expect(usage?.totalTokens).toBe(target.lacks.includes('total') ? null : total)
  })

  test('the token limit is the finish reason length, with the beginning of the text', async () => {
    const { answer } = await call({ ...hello, parameters: { maxTokens: 16 } })
    expect(answer.finishReason).toBe('length')
    expect(answer.text).not.toBe('')
    expect(TEXT.startsWith(answer.text)).toBe(true)
  })

  if (!target.lacks.includes('tools')) {
    test.each([
      ['one tool', ['Paris']],
      ['two tools in one step', ['Paris', '東京 "quoted" \\']],
    ])('a turn that calls %s goes on with the results', async (_what, cities) => {
      const inputs = cities.map((city) => ({ city }))
      const question = inputs.map((input) => `call weather with ${JSON.stringify(input)}`).join(' and ')
      const request = { ...asking(question), tools: [weather] }
      const { answer, parts } = await call(request)
      expect(answer).toMatchObject({ text: '', finishReason: 'tool_calls' })
      expect(answer.toolCalls.map(({ name, input }) => [name, input])).toEqual(
        inputs.map((input) => ['weather', input]),
      )
      expect(new Set(answer.toolCalls.map(({ id }) => id)).size).toBe(cities.length)
      for (const [index, input] of inputs.entries()) {
        const pieces = parts.filter((part) => part.type === 'tool_call_delta' && part.index === index)
        expect(JSON.parse(pieces.map((part) => 'delta' in part && part.delta).join(''))).toEqual(input)
      }
      const { toolCalls } = answer
      const results = toolCalls.map(
        ({ id, name }, at) => ({ role: 'tool', toolCallId: id, name, content: `sunny ${at}` }) as const,
      )
      const messages = [
        ...request.messages,
        { role: 'assistant', content: '', toolCalls } as const,
        ...results,
      ]
      const next = await call({ ...request, messages })
      expect(next.answer).toMatchObject({ toolCalls: [], finishReason: 'stop' })
      for (const { content } of results) expect(next.answer.text).toContain(content)
    })
  }

  test('an error inside a 200 is an error that keeps what had come', async () => {
    const { error, answer } = await call(hello, { model: `sim+error:${SOME_BYTES}` })
    expect(error?.category).toBe('server')
    expectBeginning(answer, stream)
  })

  test.each(['truncate', 'cut'])('an answer that stops short (%s) is truncated', async (fault) => {
    const bytes = stream ? SOME_BYTES : 50
    const { error, answer, parts } = await call(hello, { model: `sim+${fault}:${bytes}` })
    expect(error?.code).toBe('network/truncated_stream')
    expect(parts.map(({ type }) => type)).not.toContain('finish')
    expectBeginning(answer, stream)
  })

  if (stream) {
    test('a stream without its end is truncated, unless it has said why it stopped', async () => {
      const { error, answer } = await call(hello, { model: 'sim+nodone' })
      const tells = ['openai-chat', 'anthropic'].includes(target.protocol)
      expect(error?.code).toBe(tells ? undefined : 'network/truncated_stream')
      expect(answer.text).toBe(TEXT)
    })
  }

  test('an abort ends the call at once, here and upstream, with what had come', async () => {
    const abort = new AbortController()
    const model = `sim-${target.protocol}-${stream}+stall:${stream ? SOME_BYTES : 5}`
    const calling = call(hello, { model, signal: abort.signal })
    const asked = () => sim.log().findLast((entry) => entry.model === model)
    await until(() => (asked()?.bytes ?? 0) > 0 || asked()?.status === 200)
    await sleep(50)
    abort.abort()
    const { error, answer } = await calling
    expect(error?.code).toBe('turn/cancelled')
    expectBeginning(answer, stream)
    await until(() => asked()?.aborted === true)
  })

  test.each([
    ['429:7', 'rate_limit/rate_limited'],
    ['529', 'server/overloaded'],
    ['500', 'server/server_error'],
    ['status:401', 'auth/invalid_key'],
    ['html', 'server/html_payload'],
  ])('%s is told as %s', async (fault, code) => {
    const { error, parts } = await call(hello, { model: `sim+${fault}` })
    expect(error?.code).toBe(code)
    if (fault === '429:7') expect(error?.retryAfterMs).toBe(7000)
    expect(parts.map(({ type }) => type)).toEqual(['error'])
  })

  test.each(['wrongtype', 'slow:1'])('%s changes nothing', async (fault) => {
    const { answer, error } = await call(hello, { model: `sim+${fault}` })
    expect(error).toBeUndefined()
    expect(answer.text).toBe(TEXT)
  })

  test.each([
    ['gzip', 'server/binary_payload'],
    ['garbage', 'server/binary_payload'],
    ['empty', 'server/empty_body'],
  ])('%s is no answer', async (fault, code) => {
    expect((await call(hello, { model: `sim+${fault}` })).error?.code).toBe(code)
  })
})

test.each(Object.entries(TARGETS))('%s says the same streamed and whole', async (_label, target) => {
  const request = target.lacks.includes('tools')
    ? hello
    : { ...asking('call weather with {"city":"Paris"}'), tools: [weather] }
  const [streamed, whole] = await Promise.all(
    [true, false].map((stream) => outcomeOf(target, request, { stream, model: 'sim-reasoning' })),
  )
  expect(streamed?.error).toBeUndefined()
  const { requestId: _one, ...said } = streamed!.answer
  const { requestId: _other, ...saidWhole } = whole!.answer
  expect(said).toEqual(saidWhole)
})

type CallOptions = {
  readonly stream?: boolean
  readonly model?: string
  readonly signal?: AbortSignal
}

type Outcome = {
  readonly parts: readonly StreamPart[]
  /** Only the beginning, where the call failed. */
  readonly answer: Answer
  readonly error: TurnkeeperError | undefined
}

async function outcomeOf(
  { protocol, endpoint, base }: Target,
  request: ModelRequest,
  { stream = true, model = 'sim', signal }: CallOptions,
): Promise<Outcome> {
  await using provider = createProvider({
    protocol,
    ...(endpoint !== undefined && { endpoint }),
    baseUrl: `${sim.url}${base}`,
    model,
    stream,
    retries: 0,
  })
  const parts: StreamPart[] = []
  for await (const part of provider.stream(request, { ...(signal && { signal }) })) parts.push(part)
  const last = parts.at(-1)
  if (last?.type === 'error') return { parts, answer: last.partial, error: last.error }
  const collector = createCollector('')
  for (const part of parts) collector.add(part)
  return { parts, answer: collector.answer(), error: undefined }
}

function asking(content: string): ModelRequest {
  return { messages: [{ role: 'user', content }] }
}

/** A stream leaves the beginning of its text; what was to come whole leaves nothing. */
function expectBeginning({ text, finishReason }: Answer, stream: boolean): void {
  expect(finishReason).toBeNull()
  expect(text !== '').toBe(stream)
  expect(text).not.toBe(TEXT)
  expect(TEXT.startsWith(text)).toBe(true)
}

async function until(isSo: () => boolean, timeoutMs = 2000): Promise<void> {
  const start = Date.now()
  while (!isSo()) {
    if (Date.now() - start > timeoutMs) throw new Error('waited in vain')
    await sleep(5)
  }
}
