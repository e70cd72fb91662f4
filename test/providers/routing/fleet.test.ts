import { type ChildProcess, fork } from 'node:child_process'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { closeRedis, connectRedis, type RedisConnection } from '../../../src/redis/connection.ts'
import type { RedisServer } from '../../../src/redis/embedded.ts'
import { hasRedisServer, startRedis } from '../../redis-servers.ts'

type Sight = { readonly state: string; readonly at: number }

describe.skipIf(!hasRedisServer)('three processes (needs redis-server)', () => {
  let server: RedisServer
  let redis: RedisConnection
  const members: { child: ChildProcess; sights: Sight[] }[] = []
  const states = () => members.map(({ sights }) => sights.at(-1)?.state)
  const fail = (member: number) => members[member]?.child.send('fail')

  beforeAll(async () => {
    server = await startRedis('redis-server')
    redis = await connectRedis(server.url)
    for (let i = 0; i < 3; i++) {
      const child = fork(new URL('fleet-member.ts', import.meta.url), [server.url], { execArgv: [] })
      const sights: Sight[] = []
      child.on('message', (sight: Sight) => sights.push(sight))
      members.push({ child, sights })
    }
  })
  afterAll(async () => {
    for (const { child } of members) {
      const gone = new Promise((resolve) => child.once('exit', resolve))
      child.send('leave')
      await gone
    }
    await closeRedis(redis)
    await server.close()
  })

  test('bear three HTML answers, open everywhere within a second of the fourth, and probe once', async () => {
    await expect.poll(states, { timeout: 10_000 }).toEqual(['closed', 'closed', 'closed'])
    for (const member of [0, 1, 2]) fail(member)
    await new Promise((resolve) => setTimeout(resolve, 1000))
    expect(states()).toEqual(['closed', 'closed', 'closed'])

    const fourthAt = Date.now()
    fail(1)
    await expect.poll(states, { timeout: 5000, interval: 10 }).toEqual(['open', 'open', 'open'])
    for (const { sights } of members) {
      const seenAt = sights.find(({ state }) => state === 'open')?.at ?? Number.POSITIVE_INFINITY
      expect(seenAt - fourthAt).toBeLessThan(1000)
    }

    await expect.poll(states, { timeout: 8000 }).toEqual(['degraded', 'degraded', 'degraded'])
    expect(await redis.get('probes')).toBe('1')
  })
})
