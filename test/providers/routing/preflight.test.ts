import { describe, expect, test } from 'vitest'
import { TurnkeeperError } from '../../../src/errors.ts'
import type { RouteCapabilities } from '../../../src/providers/capabilities/capability.ts'
import { capabilitiesOf } from '../../../src/providers/capabilities/registry.ts'
import type { ModelInfo, Price } from '../../../src/providers/models/model-info.ts'
import { createAttemptEngine } from '../../../src/providers/routing/attempt-engine.ts'
import type { RouteKnowledge } from '../../../src/providers/routing/engine/call.ts'
import { createRouter } from '../../../src/providers/routing/router.ts'
import type { ModelRequest, StreamPart } from '../../../src/providers/types.ts'
import { type Act, fakeHealth, ROUTING, recordingTelemetry, scriptedUpstream, tableOf } from './scripted.ts'

const hello: ModelRequest = { model: 'coder', messages: [{ role: 'user', content: 'Hello.' }] }
const withImage: ModelRequest = {
  model: 'coder',
  messages: [{ role: 'user', content: [{ type: 'image', url: 'https://example.com/cat.png' }] }],
}

function stage(
  models: Readonly<Record<string, Omit<ModelInfo, 'id'>>>,
  { acts = {}, knowledge = {} }: { acts?: Record<string, readonly Act[]>; knowledge?: RouteKnowledge } = {},
) {
  const names = Object.keys(models)
  const table = tableOf(names)
  const health = fakeHealth()
  const telemetry = recordingTelemetry()
  const upstreams = new Map(
    names.map((name) => [name, scriptedUpstream(name, acts[name] ?? [{ says: ['hi'] }])]),
  )
  const capabilities = (name: string): RouteCapabilities =>
    capabilitiesOf({ protocol: 'openai-chat', dialect: 'generic', model: { id: name, ...models[name] } })
  const engine = createAttemptEngine({
    router: createRouter({ table, health }),
    ...{ table, health, telemetry, config: ROUTING },
    upstreamOf: (name) => upstreams.get(name),
    sleep: async () => true,
    knowledge: { capabilitiesOf: ({ name }) => capabilities(name), ...knowledge },
  })
  const run = async (request: ModelRequest) => {
    const parts: StreamPart[] = []
    return { ...(await engine.run(request, (part) => parts.push(part))), parts }
  }
  return { run, telemetry, upstreams }
}

describe('a request with images', () => {
  test('passes over routes that are known not to see', async () => {
    const { run } = stage({ 'p/blind': { vision: false }, 'p/seeing': { vision: true } })
    const { route, decisions } = await run(withImage)
    expect(route).toBe('p/seeing')
    expect(decisions).toEqual([
      { type: 'pass_over', from: 'p/blind', to: 'p/blind', reason: 'capability_missing' },
    ])
  })

  test('is refused before anything is sent where no route sees', async () => {
    const { run, upstreams } = stage({ 'p/blind': { vision: false } })
    const { outcome, error, attempts } = await run(withImage)
    expect(outcome).toBe('failed')
    expect(error?.code).toBe('not_found/capability_missing')
    expect(error?.message).toContain('p/blind lacks vision')
    expect([attempts, upstreams.get('p/blind')?.calls]).toEqual([[], []])
  })

  test('is sent as text where the caller allows it, and that is told', async () => {
    const { run } = stage({ 'p/blind': { vision: false } })
    const { outcome, decisions } = await run({ ...withImage, imagesAsText: true })
    expect(outcome).toBe('ok')
    expect(decisions).toMatchObject([{ type: 'images_as_text', reason: 'capability_missing' }])
  })

  test('is tried on a route of which nobody has said whether it sees', async () => {
    expect(await stage({ 'p/new': {} }).run(withImage)).toMatchObject({ outcome: 'ok', decisions: [] })
  })
})

describe('a prompt that is too long', () => {
  const long: ModelRequest = {
    model: 'coder',
    messages: [{ role: 'user', content: 'word '.repeat(3000) }],
    parameters: { maxTokens: 100 },
  }

  test('is refused before anything is sent where no window holds it', async () => {
    const { error, attempts } = await stage({ 'p/gpt-4o': { contextWindow: 1000 } }).run(long)
    expect(error?.code).toBe('bad_request/context_length')
    expect(error?.message).toMatch(/at least 3\d{3} tokens of prompt and 100 of answer do not fit into 1000/)
    expect(attempts).toEqual([])
  })

  test('goes to the route whose window holds it', async () => {
    const { run } = stage({ 'p/gpt-4o': { contextWindow: 1000 }, 'p/gpt-4.1': { contextWindow: 10_000 } })
    expect(await run(long)).toMatchObject({ route: 'p/gpt-4.1', decisions: [{ reason: 'context_length' }] })
  })

  test('that an upstream refuses all the same goes to a larger window, never to a smaller one', async () => {
    const acts = { 'p/a': [{ fails: 'context_length' as const }] }
    const smaller = stage({ 'p/a': { contextWindow: 9000 }, 'p/b': { contextWindow: 8000 } }, { acts })
    expect(await smaller.run(hello)).toMatchObject({ outcome: 'failed', route: 'p/a' })
    const larger = stage({ 'p/a': { contextWindow: 9000 }, 'p/b': { contextWindow: 20_000 } }, { acts })
    expect(await larger.run(hello)).toMatchObject({ outcome: 'ok', route: 'p/b' })
  })
})

test('a refusal by one route of the alias stops the call before anything is sent', async () => {
  const { run, upstreams } = stage({ 'p/a': {}, 'p/b': {} })
  const error = new TurnkeeperError('invalid_parameter', 'parameters.topK: no')
  Object.assign(upstreams.get('p/b') ?? {}, { refusal: () => ({ error, what: ['parameters.topK'] }) })
  const { error: told, attempts } = await run(hello)
  expect([told?.message, attempts]).toEqual(['parameters.topK: no', []])
})

describe('what an attempt is asked', () => {
  const tools = [{ name: 't', description: '', inputSchema: {} }]
  const policyOf = () => ({ toolTurns: 'auto' as const, jsonFallback: true })

  test('stands in its summary and its span', async () => {
    const { run, telemetry, upstreams } = stage({ 'p/a': {} }, { knowledge: { policyOf } })
    const { attempts } = await run({ ...hello, tools })
    expect(attempts).toMatchObject([{ policy: ['tool_turn'] }])
    expect(upstreams.get('p/a')?.calls).toMatchObject([{ stream: false }])
    const span = telemetry.spans.find(({ operation }) => operation === 'provider_attempt')
    expect(span?.attributes).toMatchObject({ 'attempt.policy': 'tool_turn' })
  })

  test('changes at once after an unreadable stream, and the decision says so', async () => {
    const acts = { 'p/a': [{ fails: 'sse_parse' as const }, { says: ['hi'] }] }
    const { run } = stage({ 'p/a': {} }, { acts, knowledge: { policyOf } })
    const { decisions, attempts } = await run(hello)
    expect(decisions).toMatchObject([{ type: 'retry', reason: 'sse_parse', policy: 'sse_parse' }])
    expect(attempts[1]).toMatchObject({ policy: ['sse_parse'] })
  })
})

describe('costs', () => {
  const price: Price = { inputUsd: 1, outputUsd: 2 }

  test('are booked in the attempt, the outcome, the span and the metric', async () => {
    const usage = {
      inputTokens: 1000,
      outputTokens: 500,
      totalTokens: 1500,
      cachedInputTokens: 0,
      reasoningTokens: 0,
    }
    const { run, telemetry } = stage(
      { 'p/a': {} },
      { acts: { 'p/a': [{ says: ['hi'], usage }] }, knowledge: { priceOf: () => price } },
    )
    const { attempts, costUsd } = await run(hello)
    expect([attempts[0]?.costUsd, costUsd]).toEqual([0.002, 0.002])
    expect(telemetry.counts.get('provider_cost_usd_total p a')).toBe(0.002)
  })

  test('are null where no price is known', async () => {
    expect((await stage({ 'p/a': {} }).run(hello)).costUsd).toBeNull()
  })
})

describe('a bare name', () => {
  test('is the route of its one provider', async () => {
    const routeOfModel = async (model: string) => (model === 'bare' ? 'p/a' : undefined)
    const { run } = stage({ 'p/a': {} }, { knowledge: { routeOfModel } })
    expect(await run({ ...hello, model: 'bare' })).toMatchObject({ outcome: 'ok', route: 'p/a' })
    expect((await run({ ...hello, model: 'other' })).error?.code).toBe('server/no_route')
  })

  test('that several providers have fails with their names', async () => {
    const routeOfModel = async () => {
      throw new TurnkeeperError('invalid_request', 'write one of p/x, q/x')
    }
    const { run } = stage({ 'p/a': {} }, { knowledge: { routeOfModel } })
    expect((await run({ ...hello, model: 'x' })).error?.message).toContain('p/x, q/x')
  })
})
