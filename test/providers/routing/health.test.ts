import type { Redis } from 'ioredis'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { type Health, type HealthOptions, openHealth } from '../../../src/providers/routing/breaker/health.ts'
import { createRouter } from '../../../src/providers/routing/router.ts'
import { closeRedis, connectRedis, type RedisConnection } from '../../../src/redis/connection.ts'
import type { RedisServer } from '../../../src/redis/embedded.ts'
import { hasRedisServer, serverKinds, startRedis } from '../../redis-servers.ts'
import { FLEET_POLICY } from './fleet.ts'
import { recordingTelemetry, tableOf } from './scripted.ts'

const TICK_MS = 40
const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

describe.each(serverKinds)('the health of routes on %s', (kind) => {
  let server: RedisServer
  let prefix = ''
  let count = 0
  const connections: RedisConnection[] = []
  const opened: Health[] = []

  beforeAll(async () => {
    server = await startRedis(kind)
  })
  afterEach(async () => {
    await Promise.all(opened.splice(0).map((health) => health.close()))
    await Promise.all(connections.splice(0).map(closeRedis))
    prefix = ''
  })
  afterAll(() => server.close())

  const connect = async (role: 'command' | 'subscriber'): Promise<RedisConnection> => {
    const connection = await connectRedis(server.url, { role })
    connections.push(connection)
    return connection
  }
  /** One process of the fleet, as far as Redis can tell. */
  const member = async (more: Partial<HealthOptions> = {}): Promise<Health> => {
    prefix ||= `health${++count}`
    const health = await openHealth({
      redis: await connect('command'),
      subscriber: await connect('subscriber'),
      prefix,
      routes: ['p/a', 'p/b'],
      policy: FLEET_POLICY,
      tickMs: TICK_MS,
      ...more,
    })
    opened.push(health)
    return health
  }
  const stall = (health: Health): void => health.report('p/a', health.view('p/a').generation, 'stall')
  const trip = async (health: Health): Promise<void> => {
    for (let i = 0; i < 3; i++) stall(health)
    // With a probe at hand it is open for a tenth of a second: a look may find it half-open already.
    await expect.poll(() => health.view('p/a').state).toMatch(/^(open|half_open)$/)
  }

  test('failures of several processes open a route for all of them (H3)', async () => {
    const members = [await member(), await member(), await member()]
    for (const health of members.slice(0, 2)) stall(health)
    await sleep(3 * TICK_MS)
    expect(members.map((health) => health.view('p/a').state)).toEqual(['closed', 'closed', 'closed'])
    stall(members[2]!)
    await expect
      .poll(() => members.map((health) => health.view('p/a').state))
      .toEqual(['open', 'open', 'open'])
    expect(members[0]?.view('p/b').state).toBe('closed')
    expect(members[0]?.view('p/a').nextProbeInMs).toBeLessThanOrEqual(100)
  })

  test('a process that hears nothing on the channel sees a change by its poll (H3)', async () => {
    const deaf = await member({ subscriber: await connect('subscriber') })
    connections.at(-1)?.disconnect()
    const other = await member()
    await trip(other)
    await expect.poll(() => deaf.view('p/a').state).toBe('open')
  })

  test('a process that comes later knows at once', async () => {
    await trip(await member())
    expect((await member()).view('p/a').state).toBe('open')
  })

  test('exactly one probe is sent by the whole fleet for each half-open period (H6)', async () => {
    const sent: string[] = []
    const probe = (verdicts: ('ok' | 'failed')[]) => async (route: string) => {
      sent.push(route)
      await sleep(3 * TICK_MS)
      return verdicts[sent.length - 1] ?? 'ok'
    }
    const shared = probe(['failed', 'failed', 'ok'])
    const members = await Promise.all([1, 2, 3, 4].map(() => member({ probe: shared })))
    await trip(members[0]!)
    await expect
      .poll(() => members.map((health) => health.view('p/a').state), { timeout: 5000 })
      .toEqual(Array(4).fill('degraded'))
    expect(sent).toEqual(['p/a', 'p/a', 'p/a'])
    const moves = await members[0]!.history('p/a')
    expect(moves.map(({ to, reason }) => `${to} ${reason}`)).toEqual([
      'open stall',
      'half_open probe_due',
      'open probe_failed',
      'half_open probe_due',
      'open probe_failed',
      'half_open probe_due',
      'degraded probe_ok',
    ])
    expect(await members[0]!.history('p/b')).toEqual([])
  })

  test('a process that leaves gives its probe back', async () => {
    const hanging = (_route: string, signal: AbortSignal) =>
      new Promise<'failed'>((resolve) => signal.addEventListener('abort', () => resolve('failed')))
    const leaver = await member({ probe: hanging })
    await trip(leaver)
    await expect.poll(() => leaver.view('p/a').state).toBe('half_open')
    await leaver.close()
    const stayer = await member({ probe: async () => 'ok' })
    await expect.poll(() => stayer.view('p/a').state).toBe('degraded')
  })

  test('a probe that takes too long has failed', async () => {
    const hanging = (_route: string, signal: AbortSignal) =>
      new Promise<'failed'>((resolve) => signal.addEventListener('abort', () => resolve('failed')))
    const health = await member({ probe: hanging, probeTimeoutMs: 30 })
    await trip(health)
    await expect
      .poll(async () => (await health.history()).map(({ reason }) => reason))
      .toContain('probe_failed')
  })

  test('a degraded route closes after a quiet time without any traffic', async () => {
    const health = await member({ policy: { ...FLEET_POLICY, recoverAfterMs: 150 } })
    health.rerouted('p/a', 0)
    await expect.poll(() => health.view('p/a').state).toBe('degraded')
    await expect.poll(() => health.view('p/a').state).toBe('closed')
  })

  test('a degraded route closes after five successes in a row', async () => {
    const health = await member()
    health.rerouted('p/a', 0)
    await expect.poll(() => health.view('p/a').state).toBe('degraded')
    for (let i = 0; i < 5; i++) health.report('p/a', health.view('p/a').generation)
    await expect.poll(() => health.view('p/a').state).toBe('closed')
  })

  test.each(['rate_limited', 'invalid_request', 'model_not_found', 'cancelled'] as const)(
    '%s counts nowhere',
    async (reason) => {
      const health = await member({
        policy: {
          ...FLEET_POLICY,
          rules: [{ ...FLEET_POLICY.rules[0]!, over: 0, reasons: ['rate_limited', 'invalid_request'] }],
        },
      })
      for (let i = 0; i < 5; i++) health.report('p/a', 0, reason)
      await sleep(3 * TICK_MS)
      expect(health.view('p/a').state).toBe('closed')
      expect(await health.history()).toEqual([])
    },
  )

  test('every change is counted and logged once by each process', async () => {
    const telemetry = recordingTelemetry()
    await member({ telemetry })
    await trip(await member())
    await expect.poll(() => telemetry.lines.length).toBe(1)
    expect(telemetry.counts.get('route_health_transitions_total p/a closed open stall')).toBe(1)
    expect(telemetry.lines[0]).toContain('route opened')
  })

  test('a thousand decisions and successes with closed breakers send no command (H1)', async () => {
    const redis = (await connect('command')) as Redis // no cluster here
    const health = await member({ redis, tickMs: 60_000 })
    const sent: string[] = []
    const send = redis.sendCommand.bind(redis)
    redis.sendCommand = (command, ...rest) => {
      sent.push(command.name)
      return send(command, ...rest)
    }
    const router = createRouter({ table: tableOf(['p/a', 'p/b']), health })
    for (let i = 0; i < 1000; i++) {
      const choice = router.choose('coder')
      expect(choice.kind).toBe('routes')
      health.report('p/a', health.view('p/a').generation)
    }
    expect(sent).toEqual([])
    health.report('p/a', 0, 'html_payload')
    expect(sent).toEqual(['evalsha'])
  })
})

describe.skipIf(!hasRedisServer)('without Redis (needs redis-server)', () => {
  test('the last view stands, one log line tells it, and the return is told too (H4)', async () => {
    const server = await startRedis('redis-server')
    const redis = await connectRedis(server.url)
    const subscriber = await connectRedis(server.url, { role: 'subscriber' })
    const telemetry = recordingTelemetry()
    const health = await openHealth({
      redis,
      subscriber,
      prefix: 'gone',
      routes: ['p/a'],
      policy: { ...FLEET_POLICY, rules: [{ ...FLEET_POLICY.rules[0]!, openMs: 60_000, maxMs: 60_000 }] },
      telemetry,
      tickMs: TICK_MS,
    })
    for (let i = 0; i < 4; i++) health.report('p/a', 0, 'html_payload')
    await expect.poll(() => health.view('p/a').state).toBe('open')

    redis.disconnect()
    await sleep(5 * TICK_MS)
    expect(health.view('p/a').state).toBe('open')
    health.report('p/a', 0, 'html_payload')
    expect(telemetry.lines.filter((line) => line.includes('Redis does not answer'))).toHaveLength(1)
    expect(telemetry.counts.get('redis_unavailable_seconds_total')).toBeGreaterThan(0)

    await redis.connect()
    await expect.poll(() => telemetry.lines.some((line) => line.includes('Redis answers again'))).toBe(true)
    await health.close()
    await closeRedis(redis)
    await closeRedis(subscriber)
    await server.close()
  })
})
