import { Writable } from 'node:stream'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import { loadConfig } from '../../src/config/load.ts'
import { openReloadableRuntime, type ReloadableRuntime } from '../../src/providers/reloadable.ts'
import { createSim, type Sim } from '../../src/providers/sim/sim.ts'
import type { StreamPart } from '../../src/providers/types.ts'
import { closeRedis, connectRedis, type RedisConnection } from '../../src/redis/connection.ts'
import type { RedisServer } from '../../src/redis/embedded.ts'
import { createTelemetry, type RunningTelemetry } from '../../src/telemetry/create.ts'
import { startAnyRedis } from '../redis-servers.ts'

let sim: Sim
let server: RedisServer
let command: RedisConnection
let telemetry: RunningTelemetry
let runtime: ReloadableRuntime
let logged = ''
let count = 0

type Changes = { readonly routes?: readonly string[]; readonly provider?: object }

const configOf = ({ routes = ['sim/first'], provider = {} }: Changes = {}) =>
  loadConfig({
    redis: { prefix: `reload${count}` },
    metrics: { port: 0 },
    providers: { sim: { protocol: 'openai-chat', baseUrl: `${sim.url}/v1`, ...provider } },
    models: { coder: { routes } },
    routing: { retries: 0 },
  })
const ask = { model: 'coder', messages: [{ role: 'user' as const, content: 'Say hello.' }] }

beforeAll(async () => {
  sim = await createSim()
  server = await startAnyRedis()
  command = await connectRedis(server.url)
})
afterAll(async () => {
  await closeRedis(command)
  await server.close()
  await sim.close()
})
beforeEach(async () => {
  count++
  logged = ''
  const config = await configOf()
  telemetry = await createTelemetry({
    config: config.telemetry,
    metrics: config.metrics,
    service: 'test',
    version: '0',
    logStream: new Writable({
      write(chunk, _encoding, done) {
        logged += String(chunk)
        done()
      },
    }),
  })
  runtime = await openReloadableRuntime(config, { url: server.url, command, telemetry })
})
afterEach(async () => {
  await runtime.close()
  await telemetry.close()
})

/** The connections for the news of breakers: one a runtime that is not closed yet. */
async function listeners(): Promise<number> {
  const answer = (await command.call('CLIENT', 'LIST', 'TYPE', 'pubsub')) as string
  return answer.split('\n').filter((line) => line !== '').length
}

test('L1: a call ends on the runtime on which it began, which is closed then', async () => {
  await runtime.reload(() => configOf({ routes: ['sim/slow+slow:150'] }))
  await expect.poll(listeners).toBe(1)
  const parts: StreamPart[] = []
  for await (const part of runtime.stream(ask)) {
    if (parts.length === 0) {
      expect(await runtime.reload(() => configOf({ routes: ['sim/next'] }))).toBe(true)
      expect(runtime.routes().map(({ name }) => name)).toEqual(['sim/next'])
      expect(await listeners()).toBe(2)
    }
    parts.push(part)
  }
  expect(parts.at(-1)).toMatchObject({ type: 'finish' })
  expect(parts[0]).toMatchObject({ route: 'sim/slow+slow:150' })
  await expect.poll(listeners).toBe(1)
  expect((await runtime.complete(ask)).route).toBe('sim/next')
})

test('L2: what cannot be opened leaves everything as it was, and one log line says why', async () => {
  const provider = { parameters: { defaults: { max_tokens: 5 } } }
  expect(await runtime.reload(() => configOf({ provider, routes: ['sim/next'] }))).toBe(false)
  expect((await runtime.complete(ask)).route).toBe('sim/first')
  const lines = logged.split('\n').filter((line) => line.includes('not reloaded'))
  expect(lines).toHaveLength(1)
  expect(lines[0]).toContain('max_tokens')
  expect(await listeners()).toBe(1)
})

test('L3: listeners hear the breakers of the runtime that serves, and open breakers stay open', async () => {
  const heard: string[] = []
  runtime.onHealthChange(({ route, to }) => heard.push(`${route} ${to}`))
  await runtime.force('sim/first', { state: 'open', by: 'ada', forMs: 60_000 })
  await expect.poll(() => heard).toEqual(['sim/first open'])
  await runtime.reload(() => configOf({ routes: ['sim/first', 'sim/second'] }))
  expect(runtime.routes()).toMatchObject([{ state: 'open' }, { state: 'closed' }])
  await runtime.force('sim/second', { state: 'open', by: 'ada', forMs: 60_000 })
  await expect.poll(() => heard.filter((line) => line === 'sim/second open').length).toBe(1)
})

test('a provider that is switched off, or has got another key, counts from the next call on', async () => {
  const provider = { credentials: [{ id: 'main', apiKey: 'a-key-that-came-later' }] }
  await runtime.reload(() => configOf({ provider }))
  telemetry.log.warn({ text: 'a-key-that-came-later' }, 'not to be shown')
  expect(logged).toContain('not to be shown')
  expect(logged).not.toContain('a-key-that-came-later')
  expect(runtime.credentials()).toMatchObject([{ provider: 'sim', id: 'main' }])
  await runtime.reload(() => configOf({ provider: { enabled: false } }))
  await expect(runtime.complete(ask)).rejects.toMatchObject({ code: 'server/no_route' })
})

test('with forced prefixes a bare model name leads nowhere any more', async () => {
  await runtime.reload(() => configOf({ routes: ['sim/bare'] }))
  expect((await runtime.complete({ ...ask, model: 'bare' })).route).toBe('sim/bare')
  const forced = { ...(await configOf({ routes: ['sim/bare'] })) }
  await runtime.reload(async () => ({ ...forced, routing: { ...forced.routing, forceModelPrefix: true } }))
  await expect(runtime.complete({ ...ask, model: 'bare' })).rejects.toMatchObject({ code: 'server/no_route' })
  expect((await runtime.complete({ ...ask, model: 'sim/bare' })).route).toBe('sim/bare')
})
