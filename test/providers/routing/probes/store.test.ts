import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { createProfileStore, type ProfileStore } from '../../../../src/providers/routing/probes/store.ts'
import { closeRedis, connectRedis, type RedisConnection } from '../../../../src/redis/connection.ts'
import type { RedisServer } from '../../../../src/redis/embedded.ts'
import { clusterKinds, startRedis } from '../../../redis-servers.ts'

const good = { ok: 0, broken: 0, refused: 0, code: '' }

describe.each(clusterKinds)('the store of profiles on %s', (kind) => {
  let server: RedisServer
  let redis: RedisConnection
  let store: ProfileStore
  let count = 0

  beforeAll(async () => {
    server = await startRedis(kind)
    redis = await connectRedis(server.url)
  }, 60_000)
  afterAll(async () => {
    await closeRedis(redis)
    await server.close()
  })
  beforeEach(() => {
    store = createProfileStore({ redis, prefix: `s${++count}`, ttlMs: 60_000, budgetUsdPerDay: 0.01 })
  })
  const holding = (nonce: string, forMs = 60_000) => ({ nonce, leaseMs: 1000, forMs })
  const broken = { cell: 'stream', verdict: 'broken', code: 'network/stall' } as const

  test('S1. one holder of the lease writes; nobody else does, and nobody after giving it back', async () => {
    expect(await store.lease('p/a', 'first', 1000)).toBe(true)
    expect(await store.lease('p/a', 'second', 1000)).toBe(false)
    expect(await store.lease('p/b', 'second', 1000)).toBe(true)
    expect(await store.note('p/a', broken, holding('second'))).toBe(false)
    expect(await store.note('p/a', broken, holding('first'))).toBe(true)
    await store.release('p/a', 'second')
    expect(await store.lease('p/a', 'third', 1000)).toBe(false)
    await store.release('p/a', 'first')
    expect(await store.note('p/a', broken, holding('first'))).toBe(false)
    expect(await store.lease('p/a', 'third', 1000)).toBe(true)
  })

  test('S3. facts come back with what they are, in the order asked for, and end one by one', async () => {
    await store.lease('p/a', 'n', 5000)
    await store.note('p/a', { cell: 'whole', verdict: 'ok', code: '' }, holding('n', 150))
    await store.note('p/a', broken, holding('n'))
    const [none, profile] = await store.read(['p/none', 'p/a'])
    expect(none?.size).toBe(0)
    expect(profile?.get('stream')).toMatchObject({
      verdict: 'broken',
      code: 'network/stall',
      source: 'probe',
    })
    expect(profile?.get('stream')?.forMs).toBeGreaterThan(50_000)
    expect(profile?.get('stream')?.forMs).toBeLessThanOrEqual(60_000)
    expect(profile?.get('stream')?.at).toBeGreaterThan(1e12)
    const cells = async () => [...((await store.read(['p/a']))[0] ?? [])].map(([cell]) => cell)
    await expect.poll(cells, { timeout: 5000 }).toEqual(['stream'])
  })

  test('the traffic of several processes adds up: three good answers show a cell safe, none of them broken', async () => {
    expect(await store.witness('p/a', 'stream+tools', { ...good, ok: 2 })).toBeUndefined()
    expect(await store.witness('p/a', 'stream', { ...good, ok: 1 })).toBeUndefined()
    expect(await store.witness('p/a', 'stream+tools', { ...good, ok: 1 })).toBe('ok')
    expect((await store.read(['p/a']))[0]?.get('stream+tools')).toMatchObject({
      verdict: 'ok',
      source: 'traffic',
    })
  })

  test('two broken answers show a cell broken, if they are a tenth of what was seen', async () => {
    expect(await store.witness('p/a', 'stream', { ...good, broken: 1 })).toBeUndefined()
    expect(await store.witness('p/a', 'stream', { ...good, ok: 3 })).toBeUndefined()
    expect(await store.witness('p/a', 'stream', { ...good, broken: 1, code: 'network/stall' })).toBe('broken')
    expect((await store.read(['p/a']))[0]?.get('stream')).toMatchObject({ code: 'network/stall' })
    expect(await store.witness('p/a', 'stream', { ...good, broken: 1 })).toBeUndefined()
    expect(await store.witness('p/b', 'stream', { ...good, ok: 19, broken: 2 })).toBeUndefined()
    expect(await store.witness('p/c', 'stream', { ...good, ok: 18, broken: 2 })).toBe('broken')
  })

  test('one refusal is enough', async () => {
    expect(await store.witness('p/a', 'whole+json', { ...good, refused: 1, code: 'x/y' })).toBe('refused')
  })

  test('S2. money is taken before it is spent, given back, and never more than the day has', async () => {
    const first = await store.reserve(0.006)
    expect(await store.reserve(0.006)).toBeUndefined()
    expect(await store.spentUsd()).toBeCloseTo(0.006, 9)
    if (first) await store.settle(first, 0.001)
    expect(await store.spentUsd()).toBeCloseTo(0.001, 9)
    expect(await store.reserve(0.009)).toBeDefined()
    expect(await store.reserve(0)).toBeUndefined()
  })

  test('S2. what was reserved yesterday gives nothing back to today', async () => {
    await store.reserve(0.002)
    await store.settle({ day: '1', usd: 0.002 }, 0)
    expect(await store.spentUsd()).toBeCloseTo(0.002, 9)
  })
})
