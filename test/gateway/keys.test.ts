import { createHash } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { loadConfig } from '../../src/config/load.ts'
import { createSpend } from '../../src/queue/spend.ts'
import type { RedisServer } from '../../src/redis/embedded.ts'
import { startAnyRedis } from '../redis-servers.ts'
import { type HandWorker, openHandWorker } from './hand-worker.ts'
import { openGateway, post, type TestGateway } from './open-gateway.ts'

const sha256 = (key: string): string => createHash('sha256').update(key).digest('hex')
const provider = { protocol: 'openai-chat', baseUrl: 'http://127.0.0.1:1/v1' }
const PROVIDERS = { openrouter: { ...provider, prefix: 'or' }, other: provider }
const KEYS = [
  { id: 'app', sha256: sha256('key-of-app'), tenant: 'acme', prefixes: ['or'] },
  { id: 'shop', sha256: sha256('key-of-shop').toUpperCase(), tenant: 'bits', models: ['coder', 'or/z-ai/*'] },
  { id: 'plain', sha256: sha256('key-of-plain') },
  { id: 'ops', sha256: sha256('key-of-ops'), admin: true },
  { id: 'busy', sha256: sha256('key-of-busy'), requestsPerMinute: 3 },
  { id: 'poor', sha256: sha256('key-of-poor'), budgetUsdPerDay: 5 },
]

let redis: RedisServer
let worker: HandWorker
let opened: TestGateway
let url: string

beforeAll(async () => {
  redis = await startAnyRedis()
  worker = await openHandWorker(redis.url, 'keys')
  opened = await openGateway(redis.url, 'keys', {
    server: { apiKeys: KEYS },
    more: { providers: PROVIDERS, models: { coder: { routes: ['openrouter/glm'] } } },
  })
  url = opened.gateway.url
})
afterAll(async () => {
  await opened.gateway.close()
  await worker.close()
  await redis.close()
})

const bearer = (key: string) => ({ authorization: `Bearer ${key}` })
const get = (path: string, headers: Record<string, string> = {}) => fetch(`${url}${path}`, { headers })
const enqueue = (key: string, more: object = {}) =>
  post(`${url}/v1/turns`, { agent: 'echo', input: 'hello', ...more }, bearer(key))
const idOf = async (key: string, more?: object) => String((await enqueue(key, more)).body.id)

describe('with keys', () => {
  test('A2: a request without a known one is refused, health is not', async () => {
    for (const headers of [{}, bearer('nonsense'), bearer(sha256('key-of-app')), { 'x-api-key': '' }]) {
      const refused = await get('/v1/routes', headers)
      expect(refused.status).toBe(401)
      expect(refused.headers.get('www-authenticate')).toBe('Bearer')
      expect(await refused.json()).toMatchObject({ error: { code: 'auth/invalid_key', retryable: false } })
    }
    expect((await get('/v1/nothing')).status).toBe(401)
    expect((await get('/health')).status).toBe(200)
    expect((await get('/health', bearer('nonsense'))).status).toBe(401)
  })

  test('a known one is taken as bearer token and as x-api-key', async () => {
    expect((await get('/v1/routes', bearer('key-of-ops'))).status).toBe(200)
    const found = await get('/v1/routes', { 'x-api-key': 'key-of-ops' })
    expect(found.status).toBe(200)
    expect(found.headers.has('www-authenticate')).toBe(false)
  })

  test('the tenant of the key is that of its turns, and no other can be claimed', async () => {
    const id = await idOf('key-of-app', { sessionId: 's1' })
    expect((await worker.journal.read(id))?.options.tenant).toBe('acme')
    expect((await enqueue('key-of-app', { tenant: 'acme' })).status).toBe(202)
    expect(await enqueue('key-of-app', { tenant: 'bits' })).toMatchObject({
      status: 403,
      body: { error: { code: 'auth/forbidden' } },
    })
    const own = await idOf('key-of-ops', { tenant: 'bits' })
    expect((await worker.journal.read(own))?.options.tenant).toBe('bits')
  })

  test('a key is the segment of its turns; an admin may name another', async () => {
    const segmentOf = async (id: string) => (await worker.journal.read(id))?.options.segment
    expect(await segmentOf(await idOf('key-of-app'))).toBe('app')
    expect(await segmentOf(await idOf('key-of-app', { segment: 'shop' }))).toBe('app')
    expect(await segmentOf(await idOf('key-of-ops', { segment: 'shop' }))).toBe('shop')
  })

  test('A4: a turn of another tenant is not there, to read, to follow or to decide; an admin has all', async () => {
    const id = await idOf('key-of-app')
    const path = `/v1/turns/${encodeURIComponent(id)}`
    for (const key of ['key-of-shop', 'key-of-plain']) {
      const hidden = await get(path, bearer(key))
      expect(hidden.status).toBe(404)
      const missing = await get('/v1/turns/t-0000000000000000~s', bearer('key-of-plain'))
      const shapeOf = async (response: Response) =>
        Object.keys(((await response.json()) as { error: object }).error).sort()
      expect(await shapeOf(hidden)).toEqual(await shapeOf(missing))
      expect((await get(`${path}/events`, bearer(key))).status).toBe(404)
      expect((await post(`${url}${path}/cancel`, {}, bearer(key))).status).toBe(404)
      const decision = { decision: 'approve' }
      expect((await post(`${url}${path}/approvals/c1`, decision, bearer(key))).status).toBe(404)
      expect((await post(`${url}${path}/reviews/c1`, { done: false }, bearer(key))).status).toBe(404)
    }
    expect((await get(path, bearer('key-of-app'))).status).toBe(200)
    expect((await get(path, bearer('key-of-ops'))).status).toBe(200)
    expect((await post(`${url}${path}/cancel`, {}, bearer('key-of-app'))).status).toBe(200)
    const details = (await (await get(path, bearer('key-of-ops'))).json()) as { audit: unknown }
    expect(details.audit).toMatchObject([{ action: 'cancel', by: 'key app' }])
  })

  test.each([
    ['key-of-app', 'coder', 202],
    ['key-of-app', 'or/anything', 202],
    ['key-of-app', 'openrouter/anything', 403],
    ['key-of-app', 'other/model', 403],
    ['key-of-app', 'bare-model', 403],
    ['key-of-shop', 'coder', 202],
    ['key-of-shop', 'or/z-ai/glm', 202],
    ['key-of-shop', 'or/other', 403],
    ['key-of-plain', 'other/model', 202],
    ['key-of-plain', 7, 400],
  ])('%s asking for %s is answered with %i', async (key, model, status) => {
    expect((await enqueue(key, { model })).status).toBe(status)
  })

  test('what a key may not ask for is a reason of the explanation; the table of routes is for admins', async () => {
    const answer = await get('/v1/routes?explain=other/model', bearer('key-of-app'))
    const { candidates, next } = (await answer.json()) as { candidates: unknown; next: string }
    expect(candidates).toMatchObject([
      {
        route: 'other/model',
        place: null,
        reason: expect.stringMatching(/^excluded: the key app is not for/),
      },
    ])
    expect(next).toBe('no route can serve this')
    expect((await get('/v1/routes', bearer('key-of-app'))).status).toBe(403)
  })
})

describe('the limits of a key', () => {
  test('requests of a minute are counted over all gateways', async () => {
    const other = await openGateway(redis.url, 'keys', {
      server: { apiKeys: KEYS },
      more: { providers: PROVIDERS },
    })
    const answers: Response[] = []
    // One more than two minutes have, should one begin meanwhile.
    for (let i = 0; i < 7; i++) {
      const at = i % 2 === 0 ? url : other.gateway.url
      answers.push(
        await fetch(`${at}/v1/turns/t-0000000000000000~nobody`, { headers: bearer('key-of-busy') }),
      )
    }
    await other.gateway.close()
    expect(answers.slice(0, 3).map(({ status }) => status)).toEqual([404, 404, 404])
    const refused = answers.find(({ status }) => status === 429)
    expect(await refused?.json()).toMatchObject({
      error: { code: 'rate_limit/rate_limited', retryable: true },
    })
    expect(Number(refused?.headers.get('retry-after'))).toBeGreaterThan(0)
    expect(Number(refused?.headers.get('retry-after'))).toBeLessThanOrEqual(60)
    expect((await get('/v1/routes', bearer('key-of-ops'))).status).toBe(200)
  })

  test('whose turns have cost its budget enqueues none until tomorrow, and still reads', async () => {
    const path = `/v1/turns/${encodeURIComponent(await idOf('key-of-poor'))}`
    const spend = createSpend(worker.redis, 'keys')
    await spend.add('poor', 4.5)
    expect((await enqueue('key-of-poor')).status).toBe(202)
    await spend.add('poor', 0.5)
    expect(await enqueue('key-of-poor')).toMatchObject({
      status: 429,
      body: { error: { code: 'rate_limit/quota_exhausted' } },
    })
    expect((await get(path, bearer('key-of-poor'))).status).toBe(200)
    expect((await enqueue('key-of-plain')).status).toBe(202)
  })
})

test('what is anonymous is set, and a request under any host name is answered where there are keys', async () => {
  const { gateway } = await openGateway(redis.url, 'keys', {
    server: { host: '0.0.0.0', apiKeys: KEYS, anonymous: ['routes'] },
    more: { providers: PROVIDERS },
  })
  const at = gateway.url.replace('0.0.0.0', '127.0.0.1')
  expect((await fetch(`${at}/v1/routes`)).status).toBe(200)
  expect((await fetch(`${at}/health`)).status).toBe(401)
  expect((await fetch(`${at}/v1/turns/t-1~s`)).status).toBe(401)
  await gateway.close()
})

describe('a configuration is refused', () => {
  const key = { id: 'a', sha256: sha256('a') }
  test.each<[string, object, string]>([
    ['that is open to the world', { host: '0.0.0.0' }, 'server.host: expected a loopback address'],
    ['with a key itself', { apiKeys: [{ id: 'a', sha256: 'sk-secret' }] }, 'got text of 9 characters'],
    [
      'with two keys of one id',
      { apiKeys: [key, { ...key, sha256: sha256('b') }] },
      'keys with different ids',
    ],
    ['with one key twice', { apiKeys: [key, { ...key, id: 'b' }] }, 'keys that differ'],
    [
      'with a prefix that nothing has',
      { apiKeys: [{ ...key, prefixes: ['ro'] }] },
      'server.apiKeys[0].prefixes[0]: "ro" is neither a prefix nor the name of a provider (known: openrouter, other, or)',
    ],
    ['with a limit that is none', { apiKeys: [{ ...key, requestsPerMinute: 0 }] }, 'requestsPerMinute'],
    ['with a budget below nothing', { apiKeys: [{ ...key, budgetUsdPerDay: -1 }] }, 'budgetUsdPerDay'],
    ['with a path that is none', { anonymous: ['metrics'] }, 'server.anonymous[0]: expected health, routes'],
  ])('%s', async (_what, server, message) => {
    await expect(loadConfig({ server, providers: PROVIDERS }, { env: {} })).rejects.toMatchObject({
      message: expect.stringContaining(message),
    })
  })
})
