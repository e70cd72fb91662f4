import { afterAll, beforeAll, expect, test } from 'vitest'
import { loadConfig } from '../../src/config/load.ts'
import type { RouteExplanation } from '../../src/providers/routing/explain/explain.ts'
import type { RouteReport } from '../../src/providers/routing/explain/route-report.ts'
import { openProviderRuntime } from '../../src/providers/runtime.ts'
import { createSim } from '../../src/providers/sim/sim.ts'
import { closeRedis, connectRedis } from '../../src/redis/connection.ts'
import { startAnyRedis } from '../redis-servers.ts'
import { openGateway } from './open-gateway.ts'

const opened = new AsyncDisposableStack()
let url: string
let redisUrl: string
let providers: object
const MODELS = { coder: { routes: ['sim/first', 'sim/second', 'keyed/third'] } }

beforeAll(async () => {
  const sim = await createSim()
  opened.defer(() => sim.close())
  const server = opened.use(await startAnyRedis())
  redisUrl = server.url
  const baseUrl = `${sim.url}/v1`
  providers = {
    sim: { protocol: 'openai-chat', baseUrl, prefix: 's', models: { exclude: ['secret*'] } },
    keyed: { protocol: 'openai-chat', baseUrl, credentials: [{ id: 'main', apiKey: 'sk-not-told' }] },
    off: { protocol: 'openai-chat', baseUrl, enabled: false },
  }
  const { gateway } = await openGateway(redisUrl, 'explain', { more: { providers, models: MODELS } })
  opened.use(gateway)
  url = gateway.url
})
afterAll(() => opened.disposeAsync())

async function get<Body>(path: string): Promise<{ status: number; text: string; body: Body }> {
  const response = await fetch(`${url}${path}`)
  const text = await response.text()
  return { status: response.status, text, body: JSON.parse(text) as Body }
}

const explain = (query: string) => get<RouteExplanation>(`/v1/routes?explain=${query}`)

/** Another process of the fleet that takes part in the breakers. */
async function openMember() {
  const config = await loadConfig({
    redis: { url: redisUrl, prefix: 'explain' },
    providers,
    models: MODELS,
    routing: { retries: 0 },
  })
  const stack = new AsyncDisposableStack()
  const command = stack.adopt(await connectRedis(redisUrl), closeRedis)
  const subscriber = stack.adopt(await connectRedis(redisUrl, { role: 'subscriber' }), closeRedis)
  const runtime = stack.use(await openProviderRuntime(config, { redis: { command, subscriber } }))
  return { runtime, [Symbol.asyncDispose]: () => stack.disposeAsync() }
}

test('every candidate has its place and its reason, and what would be tried next is said', async () => {
  const { status, body } = await explain('coder')
  expect(status).toBe(200)
  expect(body).toMatchObject({
    model: 'coder',
    strategy: 'first_healthy',
    candidates: [
      { route: 'sim/first', place: 1, chosen: true, reason: 'closed; first by configured order' },
      { route: 'sim/second', place: 2, chosen: false },
      { route: 'keyed/third', place: 3, chosen: false },
    ],
    next: 'sim/first, then sim/second, then keyed/third; 1 retry a route, at most 4 attempts',
  })
})

test('what another process has done to a route stands in the table and in the reasons', async () => {
  await using member = await openMember()
  await member.runtime.complete({ model: 'sim/second', messages: [{ role: 'user', content: 'Say hello.' }] })
  await member.runtime.force('sim/first', { state: 'open', forMs: 60_000, by: 'ada', reason: 'tests' })
  const tableOf = async () => (await get<{ routes: RouteReport[] }>('/v1/routes')).body.routes
  await expect
    .poll(tableOf)
    .toMatchObject([
      { name: 'sim/first', aliases: ['coder'], state: 'open', forced: 'open', healthScore: 0 },
      { name: 'sim/second', state: 'closed', forced: null, since: null, nextProbeAt: null, healthScore: 1 },
      { name: 'keyed/third' },
    ])
  const [first] = await tableOf()
  expect(first?.nextProbeAt).toBeGreaterThan(Date.now())
  expect(first?.since).toBeLessThanOrEqual(Date.now() + 1000)
  await expect.poll(async () => (await tableOf())[1]?.attempts).toBe(1) // told once a tick
  const { body } = await explain('coder')
  expect(body.candidates.at(-1)).toMatchObject({ route: 'sim/first', place: null, chosen: false })
  expect(body.candidates.at(-1)?.reason).toMatch(/^forced open by ada: tests, next probe in \d+ s$/)
  expect(body.next).toMatch(/^sim\/second, then keyed\/third; /)
  await member.runtime.force('sim/first', { state: 'reset', by: 'ada' })
})

test('a resting credential is a reason, and no key is told', async () => {
  await using member = await openMember()
  const model = 'keyed/third+429:120'
  await member.runtime
    .complete({ model, messages: [{ role: 'user', content: 'Say hello.' }] })
    .catch((error: unknown) => error)
  const reasonOf = async () => (await explain('keyed/third')).body.candidates[0]?.reason
  await expect
    .poll(reasonOf)
    .toMatch(/^last resort, since no route is usable: no usable credential: main rests for \d+ s$/)
  const { text, body } = await explain('keyed/third')
  expect(text).not.toContain('sk-not-told')
  expect(body.next).toMatch(
    /^a direct call tries keyed\/third alone; a queued turn waits \d+ s for a probe instead$/,
  )
})

test('a model asked for by a prefix is answered by its route; one that is kept out leads nowhere', async () => {
  await using member = await openMember()
  const messages = [{ role: 'user' as const, content: 'Say hello.' }]
  const answer = await member.runtime.complete({ model: 's/anything', messages })
  expect(answer).toMatchObject({ route: 'sim/anything' })
  await expect(member.runtime.complete({ model: 's/secret-one', messages })).rejects.toMatchObject({
    code: 'server/no_route',
  })
  expect((await explain('s/first')).body).toMatchObject({
    model: 's/first',
    candidates: [{ route: 'sim/first' }],
  })
  expect(await explain('sim/secret-one')).toMatchObject({ status: 404 })
})

test('a route of a disabled provider and an unknown name lead nowhere, which is said with the nearest alias', async () => {
  expect(await get('/v1/routes?explain=off/x')).toMatchObject({ status: 404 })
  expect(await get('/v1/routes?explain=codr')).toMatchObject({
    status: 404,
    body: {
      error: { code: 'not_found/model_not_found', message: expect.stringContaining('did you mean "coder"?') },
    },
  })
  expect(await get('/v1/routes?explain=')).toMatchObject({ status: 400 })
  expect(await get('/v1/routes?explain=coder&tools=maybe')).toMatchObject({ status: 400 })
})
