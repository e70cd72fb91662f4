import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createSim, type Sim } from '../../src/providers/sim/sim.ts'
import { closeRedis, connectRedis, type RedisConnection } from '../../src/redis/connection.ts'
import type { RedisServer } from '../../src/redis/embedded.ts'
import { hasRedisServer, startRedis } from '../redis-servers.ts'
import { type Member, startMember } from './routing-fleet.ts'

const SIZE = 8
/** Open times are shortened from 15 min: all else is as configured by default. */
const OPEN_MS = 2000
const AWAY_MS = 60_000

describe.skipIf(!hasRedisServer)('eight processes on one upstream (needs redis-server)', () => {
  let server: RedisServer
  let redis: RedisConnection
  let sim: Sim
  let members: Member[] = []
  const member = (i: number): Member => members[i % SIZE]!
  const states = (route: string) => new Set(members.map(({ state }) => state(route)))
  const lastSightOf = (route: string, state: string, after: number): number =>
    Math.max(...members.map(({ sawAt }) => sawAt(route, state, after)))
  const requestsFor = (model: string): number => sim.log().filter((request) => request.model === model).length
  const halfOpenings = async (route: string): Promise<number> => {
    const entries = await redis.xrange('{turnkeeper:health}:history', '-', '+')
    return entries.filter(([, fields]) => fields.includes(route) && fields[5] === 'half_open').length
  }

  beforeAll(async () => {
    server = await startRedis('redis-server')
    redis = await connectRedis(server.url)
    sim = await createSim()
    const config = {
      redis: { url: server.url, durability: 'none' },
      providers: { sim: { protocol: 'openai-chat', baseUrl: `${sim.url}/v1` } },
      models: {
        one: { routes: ['sim/a'] },
        three: { routes: ['sim/x', 'sim/y', 'sim/z'] },
        moving: {
          strategy: 'first_available',
          routes: ['sim/m', 'sim/n'],
          mitigation: { fallback: 'three', window: '20s', minAttempts: 16, hold: '1h' },
        },
      },
      breakers: { html: { open: `${OPEN_MS}ms`, max: `${2 * OPEN_MS}ms` } },
      routing: { retries: 0, backoff: { base: '10ms', max: '100ms' } },
    }
    members = Array.from({ length: SIZE }, () => startMember(config))
    while (states('sim/a').has(undefined)) await sleep(50)
  }, 60_000)
  afterAll(async () => {
    await Promise.all(members.map((one) => one.leave()))
    await closeRedis(redis)
    await sim.close()
    await server.close()
  }, 30_000)

  test('bear three HTML answers, open everywhere within a second of the fourth, probe once a period, and recover together', async () => {
    sim.control({ model: 'a', fault: 'html' })
    for (const i of [0, 1, 2]) expect((await member(i).call('sim/a')).outcome).toBe('failed')
    await sleep(1000)
    expect(states('sim/a')).toEqual(new Set(['closed']))

    await member(3).call('sim/a')
    const fourthAt = Date.now()
    await expect.poll(() => [...states('sim/a')], { timeout: 5000, interval: 10 }).toEqual(['open'])
    expect(lastSightOf('sim/a', 'open', 0) - fourthAt).toBeLessThan(1000)

    // The first probe meets HTML and prolongs the opening; the second meets an answer.
    await expect.poll(() => requestsFor('a'), { timeout: 5000, interval: 20 }).toBe(5)
    await expect.poll(() => [...states('sim/a')], { timeout: 2000, interval: 10 }).toEqual(['open'])
    sim.clear()
    await expect.poll(() => requestsFor('a'), { timeout: 8000, interval: 10 }).toBe(6)
    const answeredAt = Date.now()
    await expect.poll(() => [...states('sim/a')], { timeout: 3000, interval: 10 }).toEqual(['degraded'])
    expect(lastSightOf('sim/a', 'degraded', 0) - answeredAt).toBeLessThan(1000)
    expect(requestsFor('a') - 4).toBe(await halfOpenings('sim/a'))

    for (let i = 0; i < 5; i++) expect((await member(i).call('sim/a')).outcome).toBe('ok')
    const fifthAt = Date.now()
    await expect.poll(() => [...states('sim/a')], { timeout: 3000, interval: 10 }).toEqual(['closed'])
    expect(lastSightOf('sim/a', 'closed', answeredAt) - fifthAt).toBeLessThan(1000)
  }, 60_000)

  test('ask the upstream at most 1.1 times a call while one of three routes is down', async () => {
    sim.control({ model: 'x', fault: '500' })
    const before = sim.log().length
    const calls = 50 * SIZE
    const outcomes: string[] = []
    await Promise.all(
      members.map(async ({ call }) => {
        for (let i = 0; i < calls / SIZE; i++) outcomes.push((await call('three')).outcome)
      }),
    )
    expect(outcomes.filter((outcome) => outcome === 'ok')).toHaveLength(calls)
    expect(sim.log().length - before).toBeLessThanOrEqual(1.1 * calls)
    sim.clear()
  }, 60_000)

  test('move an alias with errors to its fallback, all of them within a second of the first', async () => {
    sim.control({ model: 'm', fault: '500' })
    // Three calls a process are too few for each of them, and enough for all.
    await Promise.all([0, 1, 2].flatMap(() => members.map(({ call }) => call('moving'))))
    await expect.poll(() => [...states('moving')], { timeout: 5000, interval: 10 }).toEqual(['moved'])
    const sights = members.map(({ sawAt }) => sawAt('moving', 'moved', 0))
    expect(Math.max(...sights) - Math.min(...sights)).toBeLessThan(1000)
    const moves = await redis.xrange('{turnkeeper:health}:mitigation:history', '-', '+')
    expect(moves.map(([, fields]) => fields[5])).toEqual(['moved'])
    const before = requestsFor('m')
    const called = await Promise.all(members.map(({ call }) => call('moving')))
    expect(called.map(({ outcome, attempts }) => [outcome, attempts])).toEqual(members.map(() => ['ok', 1]))
    expect(requestsFor('m')).toBe(before)
    sim.clear()
  }, 60_000)

  test('go on with the last view while Redis does not answer, and probe nothing', async () => {
    sim.control({ model: 'a', fault: 'html' })
    for (const i of [0, 1, 2, 3]) await member(i).call('sim/a')
    await expect.poll(() => [...states('sim/a')], { timeout: 5000 }).toEqual(['open'])
    const [, pid] = /process_id:(\d+)/.exec(await redis.info('server')) ?? []
    process.kill(Number(pid), 'SIGSTOP')
    const stoppedAt = Date.now()
    const probesBefore = requestsFor('a')
    try {
      while (Date.now() - stoppedAt < AWAY_MS) {
        const called = await Promise.all(members.map(({ call }) => call('three')))
        expect(called.map(({ outcome }) => outcome)).toEqual(members.map(() => 'ok'))
        expect(Math.max(...called.map(({ tookMs }) => tookMs))).toBeLessThan(2000)
        expect(states('sim/a')).not.toContain('closed')
        await sleep(250)
      }
      // One may have been under way when Redis fell silent.
      expect(requestsFor('a') - probesBefore).toBeLessThanOrEqual(1)
    } finally {
      process.kill(Number(pid), 'SIGCONT')
    }
    sim.clear()
    // Nothing is lost: the route is probed and comes back.
    await expect.poll(() => [...states('sim/a')], { timeout: 25_000, interval: 50 }).toEqual(['degraded'])
  }, 150_000)
})
