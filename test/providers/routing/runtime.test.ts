import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { loadConfig } from '../../../src/config/load.ts'
import { createProviderRuntime } from '../../../src/providers/create-runtime.ts'
import type { EngineOptions } from '../../../src/providers/routing/engine-types.ts'
import { openProviderRuntime, type ProviderRuntime } from '../../../src/providers/runtime.ts'
import { createSim, type Sim } from '../../../src/providers/sim/sim.ts'
import type { ModelRequest, StreamPart } from '../../../src/providers/types.ts'
import { closeRedis, connectRedis, type RedisConnection } from '../../../src/redis/connection.ts'
import type { RedisServer } from '../../../src/redis/embedded.ts'
import { createTelemetry, type RunningTelemetry } from '../../../src/telemetry/create.ts'
import { startAnyRedis } from '../../redis-servers.ts'

const ask = (model = 'coder'): ModelRequest => ({
  model,
  messages: [{ role: 'user', content: 'Say hello.' }],
})

describe('the provider runtime', () => {
  let sim: Sim
  let server: RedisServer
  let command: RedisConnection
  let subscriber: RedisConnection
  let runtime: ProviderRuntime
  let telemetry: RunningTelemetry
  let count = 0
  const folder = mkdtempSync(join(tmpdir(), 'tk-runtime-'))

  const configOf = (more: object = {}) => ({
    redis: { prefix: `runtime${count}` },
    recorder: { dir: folder },
    providers: { sim: { protocol: 'openai-chat', baseUrl: `${sim.url}/v1` } },
    models: { coder: { routes: ['sim/first', 'sim/second'] } },
    routing: { backoff: { base: '1ms', max: '10ms' } },
    breakers: { html: { open: '200ms', max: '400ms' }, stall: { open: '200ms', max: '400ms' } },
    ...more,
  })
  const run = async (options?: EngineOptions) => {
    const parts: StreamPart[] = []
    const outcome = await runtime.run(ask(), (part) => parts.push(part), options)
    return { ...outcome, parts }
  }
  const stateOf = (route: string) => runtime.routes().find(({ name }) => name === route)?.state

  beforeAll(async () => {
    sim = await createSim()
    server = await startAnyRedis()
    command = await connectRedis(server.url)
    subscriber = await connectRedis(server.url, { role: 'subscriber' })
  })
  afterAll(async () => {
    await closeRedis(command)
    await closeRedis(subscriber)
    await server.close()
    await sim.close()
    rmSync(folder, { recursive: true, force: true })
  })
  beforeEach(async () => {
    count++
    const config = await loadConfig(configOf())
    telemetry = await createTelemetry({
      config: { ...config.telemetry, logLevel: 'error' },
      metrics: { host: '127.0.0.1', port: 0, explicit: true },
      service: 'test',
      version: '0',
      strictLabels: true,
    })
    runtime = await openProviderRuntime(config, { redis: { command, subscriber }, telemetry, tickMs: 50 })
  })
  afterEach(async () => {
    sim.clear()
    await runtime.close()
    await telemetry.close()
  })

  test('answers through the first route of an alias, streamed or whole, or through a route by its name', async () => {
    const answer = await runtime.complete(ask())
    expect(answer).toMatchObject({ route: 'sim/first', finishReason: 'stop' })
    expect(answer.text).not.toBe('')
    const types: string[] = []
    for await (const part of runtime.stream(ask())) types.push(part.type)
    expect([types[0], types.at(-1)]).toEqual(['start', 'finish'])
    expect((await runtime.complete(ask('sim/second'))).route).toBe('sim/second')
    expect((await runtime.complete(ask('sim/not-configured'))).route).toBe('sim/not-configured')
  })

  test('goes around a route that answers HTML, opens it, probes it and brings it back', async () => {
    sim.control({ model: 'first', fault: 'html' })
    const first = await run()
    expect(first).toMatchObject({ outcome: 'ok', route: 'sim/second' })
    expect(first.decisions.map(({ type }) => type)).toEqual(['retry', 'reroute'])
    await expect.poll(() => stateOf('sim/first')).toBe('degraded')

    for (let i = 0; i < 2; i++) await runtime.complete(ask('sim/first')).catch(() => {})
    await expect.poll(() => stateOf('sim/first')).toMatch(/open/)
    sim.clear()
    await expect.poll(() => stateOf('sim/first'), { timeout: 5000 }).toBe('degraded')
    for (let i = 0; i < 5; i++) await runtime.complete(ask('sim/first'))
    await expect.poll(() => stateOf('sim/first')).toBe('closed')
    const moves = (await runtime.history('sim/first')).map(({ to }) => to)
    expect(moves.slice(0, 2)).toEqual(['degraded', 'open'])
    expect(moves.slice(-3)).toEqual(['half_open', 'degraded', 'closed'])
  })

  test('restarts a queued answer that breaks off in the middle, and fails a direct one in band', async () => {
    sim.control({ model: 'first', fault: 'cut:800' })
    const queued = await run({ afterCommit: 'restart' })
    expect(queued).toMatchObject({ outcome: 'ok', route: 'sim/second' })
    expect(queued.decisions).toEqual([
      { type: 'restart', from: 'sim/first', to: 'sim/second', reason: 'truncated_stream' },
    ])
    const direct: StreamPart[] = []
    for await (const part of runtime.stream(ask('sim/first'))) direct.push(part)
    expect(direct.map(({ type }) => type)).toContain('text')
    expect(direct.at(-1)).toMatchObject({ type: 'error', error: { code: 'network/truncated_stream' } })
  })

  test('rejects a whole answer with the first cause and every attempt', async () => {
    sim.control({ model: '*', fault: '500' })
    const error = await runtime.complete(ask()).catch((caught: unknown) => caught)
    expect(error).toMatchObject({ code: 'server/server_error', route: 'sim/first' })
    expect(error).toHaveProperty('attempts.length', 4)
  })

  test('gives a failed attempt a record, in the error, the result and the list', async () => {
    sim.control({ model: 'first', fault: 'html' })
    const { attempts } = await run()
    const ids = attempts.map(({ recordId }) => recordId)
    expect(ids).toEqual([expect.stringMatching(/^r-/), expect.stringMatching(/^r-/), undefined])
    await expect.poll(() => runtime.records.list({ route: 'sim/first' })).toHaveLength(2)
    const [second, first] = await runtime.records.list()
    expect(first).toMatchObject({ id: ids[0], trail: { alias: 'coder', attempt: 1 } })
    expect(second).toMatchObject({
      id: ids[1],
      code: 'server/html_payload',
      trail: { attempt: 2, after: { type: 'retry', from: 'sim/first', reason: 'html_payload' } },
    })
    const error = await runtime.complete(ask('sim/first')).catch((caught: unknown) => caught)
    expect(error).toHaveProperty('attempts.0.recordId', expect.stringMatching(/^r-/))
    const page = await (await fetch(telemetry.metricsUrl ?? '')).text()
    expect(page).toMatch(/provider_raw_excerpt_missing_total\{route="sim\/first",.*reason="disk"\} 0/)
  })

  test('shows every route from the first scrape on, and no name that a client made up', async () => {
    const scrape = async (): Promise<string> => (await fetch(telemetry.metricsUrl ?? '')).text()
    const before = await scrape()
    expect(before).toContain('route_health_state{route="sim/first",state="closed"} 1')
    expect(before).toContain('route_health_state{route="sim/first",state="open"} 0')
    expect(before).toMatch(/provider_html_payload_total\{route="sim\/second",.*\} 0/)
    expect(before).toContain('route_info{route="sim/first",alias="coder",provider="sim",model="first"} 1')
    await runtime.complete(ask('sim/made-up'))
    await runtime.complete(ask())
    const after = await scrape()
    expect(after).toMatch(/provider_attempts_total\{route="sim\/first",.*outcome="ok"\} 1/)
    expect(after).toContain('gen_ai_client_inference_duration_seconds_count')
    expect(after).not.toContain('made-up')
  })

  test('opens and closes with a Redis of its own when nothing else is given', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'tk-runtime-'))
    const redis = { dataDir: join(folder, 'redis'), durability: 'none' }
    const own = await createProviderRuntime({ config: configOf({ redis }) })
    expect((await own.complete(ask())).route).toBe('sim/first')
    expect(own.routes().map(({ name, aliases }) => [name, aliases])).toEqual([
      ['sim/first', ['coder']],
      ['sim/second', ['coder']],
    ])
    await own.close()
    rmSync(folder, { recursive: true, force: true })
  })
})
