import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { loadConfig } from '../../../../src/config/load.ts'
import { openProviderRuntime, type ProviderRuntime } from '../../../../src/providers/runtime.ts'
import type { ModelRequest } from '../../../../src/providers/types.ts'
import { closeRedis, connectRedis, type RedisConnection } from '../../../../src/redis/connection.ts'
import type { RedisServer } from '../../../../src/redis/embedded.ts'
import { noTelemetry } from '../../../../src/telemetry/none.ts'
import type { Telemetry } from '../../../../src/telemetry/telemetry.ts'
import { startAnyRedis } from '../../../redis-servers.ts'
import { type Picky, startPicky } from './picky-upstream.ts'

const ALL = [
  'whole',
  'stream',
  'whole+tools',
  'stream+tools',
  'whole+json',
  'stream+json',
  'whole+tools+json',
  'stream+tools+json',
]
const withTools: ModelRequest = {
  model: 'up/m',
  messages: [{ role: 'user', content: 'Do something.' }],
  tools: [{ name: 'turnkeeper_noop', description: 'd', inputSchema: { type: 'object' } }],
}
const asJson: ModelRequest = {
  model: 'up/m',
  messages: [{ role: 'user', content: 'Answer in JSON.' }],
  responseFormat: { type: 'json' },
}

let server: RedisServer
let command: RedisConnection
let subscriber: RedisConnection
let picky: Picky
let open: ProviderRuntime[] = []
let count = 0

type Member = { readonly send?: boolean; readonly more?: object; readonly telemetry?: Telemetry }

/** One process of the fleet of this test: it shares nothing with the others but Redis and the upstream. */
async function member({
  send = false,
  more = {},
  telemetry = noTelemetry,
}: Member = {}): Promise<ProviderRuntime> {
  const config = await loadConfig({
    redis: { prefix: `probes${count}` },
    providers: { up: { protocol: 'openai-chat', baseUrl: picky.baseUrl } },
    models: { coder: { routes: ['up/m'] } },
    routing: { retries: 0, backoff: { base: '1ms', max: '2ms' } },
    breakers: { errors: { min: 1000 } },
    ...more,
  })
  const runtime = await openProviderRuntime(config, {
    redis: { command, subscriber },
    telemetry,
    tickMs: 50,
    probing: { send, tickMs: 20, startWithinMs: 20 },
  })
  open.push(runtime)
  return runtime
}
const verdicts = (runtime: ProviderRuntime, route = 'up/m') =>
  Object.fromEntries([...runtime.probes.profileOf(route)].map(([cell, { verdict }]) => [cell, verdict]))
const call = async (runtime: ProviderRuntime, request = withTools) => {
  const { attempts } = await runtime.run(request, () => {})
  return attempts
}
const eventually = <T>(read: () => T) => expect.poll(read, { timeout: 10_000 })
const route = { name: 'up/m', provider: 'up', model: 'm' }

beforeAll(async () => {
  server = await startAnyRedis()
  command = await connectRedis(server.url)
  subscriber = await connectRedis(server.url, { role: 'subscriber' })
})
afterAll(async () => {
  await closeRedis(command)
  await closeRedis(subscriber)
  await server.close()
})
beforeEach(async () => {
  count++
  picky = await startPicky()
})
afterEach(async () => {
  await Promise.all(open.map((runtime) => runtime.close()))
  open = []
  await picky[Symbol.asyncDispose]()
})

describe('a worker that starts', () => {
  test('asks a route in every way, once, and every process then knows it', async () => {
    await member({ send: true })
    const reader = await member()
    await eventually(() => Object.keys(verdicts(reader))).toHaveLength(ALL.length)
    expect(picky.asked()).toEqual(ALL)
    expect(new Set(Object.values(verdicts(reader)))).toEqual(new Set(['ok']))
    const late = await member({ send: true })
    await eventually(() => Object.keys(verdicts(late))).toHaveLength(ALL.length)
    await eventually(() => late.probes.probe(route)).toMatchObject({ sent: 0 })
    expect(picky.asked()).toHaveLength(ALL.length)
  })

  test('is the only one of the fleet that probes a route', async () => {
    await Promise.all(Array.from({ length: 6 }, () => member({ send: true })))
    await eventually(() => open.map((runtime) => Object.keys(verdicts(runtime)).length)).toEqual(
      open.map(() => 8),
    )
    expect(picky.asked()).toHaveLength(ALL.length)
  })

  test('sends nothing with probes.enabled: false, and still reads what is known', async () => {
    const quiet = await member({ send: true, more: { probes: { enabled: false } } })
    await (await member()).probes.probe(route)
    await eventually(() => Object.keys(verdicts(quiet))).toHaveLength(ALL.length)
    expect(picky.asked()).toHaveLength(ALL.length)
  })

  test('leaves a route alone that is open', async () => {
    const more = { models: { coder: { routes: ['up/m', 'up/open'] } } }
    await (await member({ more })).force('up/open', { state: 'open', by: 'test' })
    const runtime = await member({ send: true, more })
    await eventually(() => Object.keys(verdicts(runtime))).toHaveLength(ALL.length)
    expect(picky.asked('open')).toEqual([])
    await runtime.force('up/open', { state: 'reset', by: 'test' })
    await eventually(() => picky.asked('open')).toEqual(ALL)
  })
})

describe('tool turns', () => {
  test('are streamed by every process once the route is shown safe, and the attempt says so', async () => {
    const other = await member()
    expect(await call(other)).toMatchObject([{ streamed: false, policy: ['tool_turn'] }])
    await (await member()).probes.probe(route)
    await eventually(() => call(other)).toMatchObject([
      { streamed: true, outcome: 'ok', policy: ['tools_shown_safe'] },
    ])
  })

  test('of a route found unsafe are served whole from then on by another process', async () => {
    const [prober, other] = [await member(), await member()]
    await prober.probes.probe(route)
    await eventually(() => call(other)).toMatchObject([{ streamed: true }])
    picky.set({ 'stream+tools': 'truncates' })
    await prober.probes.probe(route, { refresh: true })
    await eventually(() => call(other)).toMatchObject([
      { streamed: false, outcome: 'ok', policy: ['tools_shown_broken'] },
    ])
    await eventually(() => verdicts(other)).toMatchObject({
      'stream+tools': 'broken',
      'stream+tools+json': 'broken',
      stream: 'ok',
    })
    expect(await call(other, { ...withTools, tools: [] })).toMatchObject([{ streamed: true }])
    // Broken means twice in a row; what follows from it is not asked for.
    expect(picky.asked().filter((cell) => cell === 'stream+tools').length).toBeGreaterThanOrEqual(3)
  })

  test('are served whole by all after the traffic of one has met broken streams, without a probe', async () => {
    const streaming = { up: { protocol: 'openai-chat', baseUrl: picky.baseUrl, toolTurns: { stream: true } } }
    const stubborn = await member({ more: { providers: streaming } })
    const other = await member()
    for (let i = 0; i < 3; i++) await call(stubborn)
    await eventually(() => verdicts(other)).toEqual({ 'stream+tools': 'ok' })
    expect(await call(other)).toMatchObject([{ streamed: true, policy: ['tools_shown_safe'] }])
    picky.set({ 'stream+tools': 'truncates' })
    for (let i = 0; i < 3; i++) await call(stubborn)
    await eventually(() => call(other)).toMatchObject([
      { streamed: false, outcome: 'ok', policy: ['tools_shown_broken'] },
    ])
    expect(other.probes.profileOf('up/m').get('stream+tools')).toMatchObject({
      source: 'traffic',
      code: 'network/truncated_stream',
    })
    const { forMs = Number.NaN } = other.probes.profileOf('up/m').get('stream+tools') ?? {}
    expect(forMs).toBeLessThanOrEqual(600_000)
    // The configuration of the stubborn one stands.
    expect(await call(stubborn)).toMatchObject([{ streamed: true, outcome: 'failed' }])
  })

  test('that succeed as streams make the probe of that cell unnecessary', async () => {
    const streaming = { up: { protocol: 'openai-chat', baseUrl: picky.baseUrl, toolTurns: { stream: true } } }
    const runtime = await member({ more: { providers: streaming } })
    for (let i = 0; i < 3; i++) await call(runtime)
    await eventually(() => verdicts(runtime)).toEqual({ 'stream+tools': 'ok' })
    const before = picky.asked().length
    await runtime.probes.probe(route)
    expect(picky.asked().slice(before)).toEqual(ALL.filter((cell) => cell !== 'stream+tools'))
  })
})

describe('JSON mode', () => {
  test('is asked in plain words at once where a probe has shown it refused', async () => {
    picky.set({ 'whole+json': 'refuses' })
    const other = await member()
    await (await member()).probes.probe(route)
    await eventually(() => call(other, asJson)).toMatchObject([
      { outcome: 'ok', policy: ['json_shown_refused'] },
    ])
    expect(picky.asked().at(-1)).toBe('stream')
    await eventually(() => verdicts(other)).toMatchObject({
      'whole+json': 'refused',
      'stream+json': 'refused',
      whole: 'ok',
    })
  })

  test('is asked in plain words at once by all after one call was refused', async () => {
    picky.set({ 'stream+json_schema': 'refuses' })
    const schema: ModelRequest = { ...asJson, responseFormat: { type: 'json_schema', name: 'n', schema: {} } }
    const [one, other] = [await member(), await member()]
    expect(await call(one, schema)).toMatchObject([{ outcome: 'failed' }, { policy: ['json_fallback'] }])
    await eventually(() => call(other, schema)).toMatchObject([
      { outcome: 'ok', policy: ['json_shown_refused'] },
    ])
  })
})

describe('a profile', () => {
  test('expires after probes.ttl; tool turns are then served whole again', async () => {
    const runtime = await member({ more: { probes: { ttl: '1s' } } })
    await runtime.probes.probe(route)
    expect(await call(runtime)).toMatchObject([{ streamed: true }])
    await eventually(() => verdicts(runtime)).toEqual({})
    expect(await call(runtime)).toMatchObject([{ streamed: false, policy: ['tool_turn'] }])
    expect(await command.exists(`{probes${count}:probes}:profile:up/m`)).toBe(0)
  })

  test('is filled anew before it ends', async () => {
    await member({ send: true, more: { probes: { ttl: '1s' } } })
    await eventually(() => picky.asked().length).toBeGreaterThan(2 * ALL.length)
  })

  test('says nothing of a cell whose simpler ones fail, and looks again soon', async () => {
    picky.set({ whole: '500' })
    const runtime = await member()
    expect(await runtime.probes.probe(route)).toMatchObject({ sent: 1 })
    expect(verdicts(runtime)).toEqual({ whole: 'failed' })
    expect(runtime.probes.profileOf('up/m').get('whole')?.forMs).toBeLessThanOrEqual(600_000)
    picky.set({ 'whole+tools': 'calls nothing' })
    await runtime.probes.probe(route, { refresh: true })
    expect(runtime.probes.profileOf('up/m').get('whole+tools')).toMatchObject({
      code: 'no_tool_call',
    })
    expect(verdicts(runtime)).not.toHaveProperty('stream+tools')
  })
})

describe('the budget', () => {
  // A probe may cost 0.0143 dollars at the price that is assumed, and costs 0.00075 with the tokens of this upstream.
  test('of the fleet stops further probes, and leaves what was found', async () => {
    const probes = { budgetUsdPerDay: 0.016 }
    const runtime = await member({ more: { probes } })
    const { sent, costUsd, stopped } = await runtime.probes.probe(route)
    expect([sent, stopped]).toEqual([3, 'budget'])
    expect(costUsd).toBeCloseTo(3 * 0.00075, 6)
    expect(await runtime.probes.spentUsd()).toBeCloseTo(3 * 0.00075, 6)
    const other = await member({ more: { probes } })
    expect(await other.probes.probe(route)).toMatchObject({ sent: 0, stopped: 'budget' })
    expect(Object.keys(verdicts(other))).toEqual(['whole', 'stream', 'whole+tools'])
    expect(picky.asked()).toHaveLength(3)
  })

  test('of nothing lets nothing through', async () => {
    const runtime = await member({ send: true, more: { probes: { budgetUsdPerDay: 0 } } })
    expect(await runtime.probes.probe(route)).toMatchObject({ sent: 0, stopped: 'budget' })
    expect(picky.asked()).toEqual([])
  })
})

test('failed probes open no breaker, count as no attempt and leave the health score', async () => {
  picky.set({ 'stream+tools': 'truncates', whole: 'html' })
  const counted: string[] = []
  const telemetry: Telemetry = {
    ...noTelemetry,
    count: (metric, labels, value = 1) =>
      void (value > 0 && counted.push(`${metric} ${labels.verdict ?? ''}`)),
  }
  const runtime = await member({
    telemetry,
    more: { breakers: { html: { over: 0, minRatio: 0 }, errors: { min: 1, ratio: 0.01, warn: 0.01 } } },
  })
  for (let i = 0; i < 5; i++) await runtime.probes.probe(route, { refresh: true })
  await runtime.settled()
  expect(runtime.routes()).toMatchObject([{ state: 'closed', healthScore: 1 }])
  expect(await runtime.history()).toEqual([])
  expect(counted.filter((line) => line.startsWith('route_probes_total'))).toEqual(
    Array(5).fill('route_probes_total failed'),
  )
  expect(counted.filter((line) => line.startsWith('provider_attempts_total'))).toEqual([])
})

test('good answers of a cell that is known well are not told to Redis', async () => {
  const runtime = await member()
  await runtime.probes.probe(route)
  const writes = async (): Promise<number> => (await command.keys(`{probes${count}:probes}:tally:*`)).length
  for (let i = 0; i < 10; i++) await call(runtime)
  await runtime.probes.probe(route) // looks at what is to be told
  expect(await writes()).toBe(0)
})
