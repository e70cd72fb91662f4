import { createHash } from 'node:crypto'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { loadConfig } from '../../src/config/load.ts'
import { openProviderRuntime } from '../../src/providers/runtime.ts'
import { createSim, type Sim } from '../../src/providers/sim/sim.ts'
import { closeRedis, connectRedis, type RedisConnection } from '../../src/redis/connection.ts'
import type { RedisServer } from '../../src/redis/embedded.ts'
import { startAnyRedis } from '../redis-servers.ts'
import { openGateway, post, type TestGateway } from './open-gateway.ts'

const TOKEN = 'token-of-the-alerts'
const bearer = { authorization: `Bearer ${TOKEN}` }

describe('POST /v1/mitigations', () => {
  let sim: Sim
  let server: RedisServer
  let redis: RedisConnection
  let subscriber: RedisConnection
  let gateway: TestGateway
  let count = 0
  let prefix = ''
  const sections = () => ({
    providers: { sim: { protocol: 'openai-chat', baseUrl: `${sim.url}/v1` } },
    models: {
      coder: { routes: ['sim/org/first', 'sim/second'], mitigation: { fallback: 'safe' } },
      twin: { routes: ['sim/org/first'], mitigation: { fallback: 'safe' } },
      bare: { routes: ['sim/org/first'] },
      later: { routes: ['sim/second', 'sim/org/first'], mitigation: { fallback: 'safe' } },
      safe: { routes: ['sim/safe'] },
    },
  })
  const alert = (more: object = {}) => ({
    status: 'firing',
    labels: { alertname: 'ModelErrorRatioCritical', provider: 'sim', model: 'org/first' },
    annotations: { summary: 'Ratio above 5 %' },
    startsAt: '2026-03-01T12:00:00Z',
    endsAt: '0001-01-01T00:00:00Z',
    generatorURL: 'http://prometheus/graph',
    fingerprint: 'f1',
    ...more,
  })
  /** As Alertmanager sends it. */
  const deliver = (...alerts: object[]) =>
    post(
      `${gateway.gateway.url}/v1/mitigations`,
      { version: '4', groupKey: '{}', truncatedAlerts: 0, status: 'firing', receiver: 'mitigation', alerts },
      bearer,
    )

  beforeAll(async () => {
    sim = await createSim()
    server = await startAnyRedis()
    redis = await connectRedis(server.url)
    subscriber = await connectRedis(server.url, { role: 'subscriber' })
  })
  afterAll(async () => {
    await gateway.gateway.close()
    await closeRedis(redis)
    await closeRedis(subscriber)
    await server.close()
    await sim.close()
  })
  beforeEach(async () => {
    await gateway?.gateway.close()
    prefix = `alerts${count++}`
    gateway = await openGateway(server.url, prefix, { server: { alertToken: TOKEN }, more: sections() })
  })
  const openRuntime = async () =>
    openProviderRuntime(await loadConfig({ redis: { url: server.url, prefix }, ...sections() }), {
      redis: { command: redis, subscriber },
      tickMs: 50,
    })

  test('a firing alert moves every alias whose first route it is about, once', async () => {
    await using runtime = await openRuntime()
    const standings = () =>
      runtime.mitigations
        .standings()
        .map(({ alias, state, reason, note }) => [alias, state, reason, note].join(' '))
        .sort()
    expect(await deliver(alert())).toMatchObject({
      status: 202,
      body: {
        mitigations: [{ route: 'sim/org/first', aliases: ['coder', 'twin'], outcome: 'requested' }],
        ignored: 0,
      },
    })
    const moved = [
      'coder moved requested ModelErrorRatioCritical',
      'twin moved requested ModelErrorRatioCritical',
    ]
    await expect.poll(standings).toEqual(moved)
    const answer = await runtime.complete({ model: 'coder', messages: [{ role: 'user', content: 'hi' }] })
    expect(answer.route).toBe('sim/safe')

    // Alertmanager repeats itself; the next time that it fires is another time.
    expect((await deliver(alert())).body.mitigations).toMatchObject([{ outcome: 'repeated' }])
    expect((await deliver(alert({ startsAt: '2026-03-01T13:00:00Z' }))).body.mitigations).toMatchObject([
      { outcome: 'requested' },
    ])
    await expect.poll(() => redis.hlen(`{${prefix}:health}:mitigation:requests`)).toBe(0)
    expect((await runtime.mitigations.history()).map(({ to }) => to)).toEqual(['moved', 'moved'])
  })

  test('waits for a process that routes', async () => {
    await deliver(alert({ labels: { alertname: 'Mine', route: 'sim/org/first' } }))
    await using runtime = await openRuntime()
    await expect.poll(() => runtime.mitigations.standings().map(({ note }) => note)).toEqual(['Mine', 'Mine'])
  })

  test('resolved alerts, alerts about nothing and routes that are nobody’s first change nothing', async () => {
    const { status, body } = await deliver(
      alert({ status: 'resolved' }),
      alert({ labels: { alertname: 'RedisDown' } }),
      alert({ labels: { alertname: 'X', provider: 'sim', model: 'nothing' } }),
    )
    expect(status).toBe(202)
    expect(body).toEqual({
      mitigations: [{ route: 'sim/nothing', aliases: [], outcome: 'unknown' }],
      ignored: 2,
    })
    expect(await redis.exists(`{${prefix}:health}:mitigation:requests`)).toBe(0)
  })

  test.each([
    ['no token', {}],
    ['another token', { authorization: 'Bearer token-of-somebody-else' }],
    ['the token without its scheme', { authorization: TOKEN }],
  ])('%s is refused', async (_what, headers) => {
    const url = `${gateway.gateway.url}/v1/mitigations`
    const answer = await post(url, { alerts: [alert()] }, headers)
    expect(answer).toMatchObject({ status: 401, body: { error: { code: 'auth/invalid_key' } } })
    expect(JSON.stringify(answer.body)).not.toContain(TOKEN)
  })

  test('without a token in the configuration the endpoint is closed and says how to open it', async () => {
    const closed = await openGateway(server.url, `${prefix}-closed`, { more: sections() })
    try {
      const answer = await post(`${closed.gateway.url}/v1/mitigations`, { alerts: [alert()] }, bearer)
      expect(answer).toMatchObject({ status: 403, body: { error: { code: 'auth/forbidden' } } })
      expect(JSON.stringify(answer.body)).toContain('set server.alertToken')
    } finally {
      await closed.gateway.close()
    }
  })

  test('its token is one of its own where clients have keys, and no key is that token', async () => {
    const sha256 = createHash('sha256').update('key-of-app').digest('hex')
    const access = { alertToken: TOKEN, apiKeys: [{ id: 'app', sha256, admin: true }] }
    const keyed = await openGateway(server.url, `${prefix}-keyed`, { server: access, more: sections() })
    try {
      const url = `${keyed.gateway.url}/v1/mitigations`
      expect(await post(url, { alerts: [] }, bearer)).toMatchObject({ status: 202 })
      const asClient = await post(url, { alerts: [] }, { authorization: 'Bearer key-of-app' })
      expect(asClient).toMatchObject({ status: 401 })
    } finally {
      await keyed.gateway.close()
    }
  })

  test.each([
    ['no list of alerts', { receiver: 'x' }],
    ['an alert without a status', { alerts: [{ labels: {} }] }],
    ['labels that are no text', { alerts: [{ status: 'firing', labels: { provider: 3 } }] }],
  ])('%s is no webhook', async (_what, body) => {
    const answer = await post(`${gateway.gateway.url}/v1/mitigations`, body, bearer)
    expect(answer).toMatchObject({ status: 400, body: { error: { code: 'turn/invalid_input' } } })
  })
})
