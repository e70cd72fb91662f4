import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { type MitigationRecord, UNTOUCHED } from '../../../../src/providers/routing/mitigation/machine.ts'
import {
  createMitigationStore,
  type MitigationStore,
} from '../../../../src/providers/routing/mitigation/store.ts'
import { closeRedis, connectRedis, type RedisConnection } from '../../../../src/redis/connection.ts'
import type { RedisServer } from '../../../../src/redis/embedded.ts'
import { clusterKinds, startRedis } from '../../../redis-servers.ts'

const WINDOW_MS = 60_000
const NONE = { attempts: 0, failures: 0, missing: 0 }
const tally = (attempts: number, failures = 0, missing = 0) => ({ attempts, failures, missing })
const moved = (since: number): MitigationRecord => ({
  state: 'moved',
  since,
  reason: 'errors',
  until: since + 900_000,
})

describe.each(clusterKinds)('mitigations on %s', (kind) => {
  let server: RedisServer
  let redis: RedisConnection
  let store: MitigationStore
  let count = 0

  beforeAll(async () => {
    server = await startRedis(kind)
    redis = await connectRedis(server.url)
  }, 30_000)
  afterAll(async () => {
    await closeRedis(redis)
    await server.close()
  })
  beforeEach(() => {
    store = createMitigationStore(redis, `store${count++}`)
  })

  test('counts add up over processes and stay apart by subject', async () => {
    const other = createMitigationStore(redis, `store${count - 1}`)
    await store.observe('coder', WINDOW_MS, tally(5, 1))
    await other.observe('coder', WINDOW_MS, tally(7, 2, 3))
    await store.observe('coder#key', WINDOW_MS, tally(1))
    expect(await store.observe('coder', WINDOW_MS, NONE)).toMatchObject({
      ...tally(12, 3, 3),
      record: UNTOUCHED,
      raw: '',
    })
    expect(await store.observe('coder#key', WINDOW_MS, NONE)).toMatchObject(tally(1))
  })

  test('what is older than the window counts no more, and leaves nothing behind', async () => {
    await store.observe('coder', 300, tally(5, 1))
    await expect.poll(async () => (await store.observe('coder', 300, NONE)).attempts).toBe(0)
    await expect.poll(() => redis.exists(`{store${count - 1}:health}:mitigation:windows:coder`)).toBe(0)
  })

  test('of all that see the same evidence one makes the move (S1), told once (S2)', async () => {
    const seen = await Promise.all(
      Array.from({ length: 8 }, () => store.observe('coder', WINDOW_MS, tally(10, 10))),
    )
    const made = await Promise.all(seen.map((observed) => store.move('coder', observed, moved(observed.now))))
    expect(made.filter(Boolean)).toHaveLength(1)
    expect(await store.history(10)).toMatchObject([{ alias: 'coder', from: 'normal', to: 'moved' }])
    const { records } = await store.read()
    expect(records.get('coder')).toMatchObject({ state: 'moved', reason: 'errors' })
  })

  test('who decided on an old record changes nothing, however long ago it looked', async () => {
    const old = await store.observe('coder', WINDOW_MS, tally(10, 10))
    await store.move('coder', old, moved(old.now))
    const held = await store.observe('coder', WINDOW_MS, NONE)
    const back: MitigationRecord = { state: 'normal', since: held.now + 1, reason: 'recovered' }
    expect(await store.move('coder', held, back)).toBe(true)
    expect(await store.move('coder', old, moved(old.now))).toBe(false)
    expect(await store.move('coder', held, moved(held.now))).toBe(false)
    expect((await store.observe('coder', WINDOW_MS, NONE)).record).toEqual(back)
  })

  test('a move empties the window, and nothing is counted during the hold (M2)', async () => {
    const observed = await store.observe('coder', WINDOW_MS, tally(10, 10))
    await store.move('coder', observed, moved(observed.now))
    expect(await store.observe('coder', WINDOW_MS, tally(5, 5))).toMatchObject(NONE)
    const warned = await store.observe('other', WINDOW_MS, tally(10, 1))
    await store.move('other', warned, { state: 'warned', since: warned.now, reason: 'errors' })
    expect(await store.observe('other', WINDOW_MS, tally(1))).toMatchObject(tally(11, 1))
  })

  test('an alert is heard once (S4), asks for all its aliases, and is done with the move', async () => {
    const heard = await Promise.all([1, 2, 3].map(() => store.request('alert-1', 'Mine', ['a', 'b'])))
    expect(heard.filter(Boolean)).toHaveLength(1)
    const { requests, now } = await store.read()
    expect([...requests.keys()].sort()).toEqual(['a', 'b'])
    const asked = requests.get('a')!
    expect(asked.note).toBe('Mine')
    expect(now - asked.at).toBeLessThan(60_000)

    const observed = await store.observe('a', WINDOW_MS, NONE)
    await store.move('a', observed, { ...moved(observed.now), note: asked.note }, asked)
    await store.forget('b', requests.get('b')!)
    expect((await store.read()).requests.size).toBe(0)
    expect(await store.request('alert-1', 'Mine', ['a'])).toBe(false)
    expect((await store.history(10))[0]).toMatchObject({ alias: 'a', note: 'Mine' })
  })

  test('a request that came meanwhile is not forgotten with the one before', async () => {
    await store.request('alert-1', 'first', ['a'])
    const first = (await store.read()).requests.get('a')!
    await store.request('alert-2', 'second', ['a'])
    await store.forget('a', first)
    const observed = await store.observe('a', WINDOW_MS, NONE)
    await store.move('a', observed, moved(observed.now), first)
    expect((await store.read()).requests.get('a')?.note).toBe('second')
  })

  test('the history names the segment that moved', async () => {
    const observed = await store.observe('org/model:x#key#1', WINDOW_MS, NONE)
    await store.move('org/model:x#key#1', observed, moved(observed.now))
    expect(await store.history(1)).toMatchObject([{ alias: 'org/model:x', segment: 'key#1' }])
  })
})
