import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { loadConfig } from '../../src/config/load.ts'
import { openBackend, type QueueBackend } from '../../src/queue/backend.ts'
import { reconcile } from '../../src/queue/reconciler.ts'
import type { RedisServer } from '../../src/redis/embedded.ts'
import { globalKeys, newTurnId, sessionRef } from '../../src/redis/keys.ts'
import { noTelemetry } from '../../src/telemetry/none.ts'
import { startAnyRedis } from '../redis-servers.ts'

let server: RedisServer
let backend: QueueBackend
let woken: [turnId: string, delayMs: number][]
let attention: 'none' | 'waiting' | 'active'
let onLook: () => Promise<unknown>

beforeEach(async () => {
  server = await startAnyRedis()
  const config = await loadConfig({ redis: { url: server.url, durability: 'none' } })
  const opened = await openBackend(config)
  woken = []
  attention = 'none'
  onLook = async () => {}
  backend = {
    ...opened,
    wakeQueue: {
      ...opened.wakeQueue,
      wake: async (turnId, { delayMs = 0 } = {}) => void woken.push([turnId, delayMs]),
      async attention() {
        await onLook()
        return attention
      },
    },
  }
})
afterEach(async () => {
  await backend.close()
  await server.close()
})

const { log } = noTelemetry
const accept = async (): Promise<string> =>
  (
    await backend.journal.accept({
      session: sessionRef('s'),
      agent: 'a',
      input: 'x',
      options: {},
      carrier: {},
    })
  ).turnId
const claim = (turnId: string) =>
  backend.journal.claim(turnId, { worker: 'w1', wakeup: 'job', leaseMs: 60_000, agents: '*' })

test('an accepted turn whose wake-up was never written gets one (R2)', async () => {
  const turnId = await accept()
  expect(await reconcile({ backend, log })).toBe(1)
  expect(woken).toEqual([[turnId, 0]])
})

test('a turn whose wake-up waits for a worker is left alone (R2)', async () => {
  await accept()
  attention = 'waiting'
  expect(await reconcile({ backend, log })).toBe(0)
})

test('a turn of a worker that has died is woken before its lease has run out, beside the dead job (R2)', async () => {
  const turnId = await accept()
  await claim(turnId)
  expect(await reconcile({ backend, log, isGone: () => false })).toBe(0)
  expect(await reconcile({ backend, log, isGone: (worker) => worker === 'w1' })).toBe(1)
  expect(woken).toEqual([[turnId, 1]])
})

test('a wake-up that somebody has had for two passes, while nothing of its session runs, is lost (R3)', async () => {
  const turnId = await accept()
  attention = 'active'
  const suspects = new Set<string>()
  expect(await reconcile({ backend, log }, suspects)).toBe(0)
  expect(await reconcile({ backend, log }, suspects)).toBe(1)
  expect(woken).toEqual([[turnId, 1]])
})

test('a doubt is over when a turn of the session was seen running in between (R3)', async () => {
  const first = await accept()
  const second = await accept()
  attention = 'active'
  const suspects = new Set<string>()
  await reconcile({ backend, log }, suspects)
  await claim(first)
  await reconcile({ backend, log }, suspects)
  const { open } = globalKeys(backend.prefix)
  await backend.redis.zrem(open, first)
  expect(await reconcile({ backend, log }, suspects)).toBe(0)
  expect(suspects).toEqual(new Set([second]))
})

test('a turn that waits behind a running one of its session is not suspected (R3)', async () => {
  await claim(await accept())
  await accept()
  attention = 'active'
  const suspects = new Set<string>()
  await reconcile({ backend, log }, suspects)
  expect(await reconcile({ backend, log }, suspects)).toBe(0)
})

test('a turn that is taken and done with while a pass goes on is not woken again (R2)', async () => {
  const turnId = await accept()
  onLook = () => claim(turnId)
  expect(await reconcile({ backend, log })).toBe(0)
  expect(woken).toEqual([])
})

test('a turn that is being accepted stays in the index, however far ahead the clock of this host runs', async () => {
  const { open } = globalKeys(backend.prefix)
  const turnId = newTurnId(sessionRef('s'))
  await backend.backlog.admit([{ turnId, agent: 'a', priority: 0 }])
  const ahead = vi.spyOn(Date, 'now').mockReturnValue(Date.now() + 120_000)
  await reconcile({ backend, log })
  ahead.mockRestore()
  expect(await backend.redis.zscore(open, turnId)).not.toBeNull()
})

test('turns that wait for long hide none of those behind them (R2)', async () => {
  const { open } = globalKeys(backend.prefix)
  const early = Array.from({ length: 1_000 }, (_, i) => [Date.now() - 10_000, `t-${i}~parked`]).flat()
  await backend.redis.zadd(open, ...early)
  const turnId = await accept()
  for (const nth of [0, 1, 2]) await reconcile({ backend, log }, new Set(), nth)
  expect(woken).toEqual([[turnId, 0]])
})

test('many turns are looked at in one pass, each for itself (R2)', async () => {
  const turns = await Promise.all(
    Array.from({ length: 60 }, (_, i) =>
      backend.journal.accept({
        ...{ session: sessionRef(`s${i}`), agent: 'a', input: 'x', options: {}, carrier: {} },
      }),
    ),
  )
  for (const { turnId } of turns.slice(0, 20)) await claim(turnId)
  expect(await reconcile({ backend, log })).toBe(40)
  expect(new Set(woken.map(([turnId]) => turnId))).toEqual(
    new Set(turns.slice(20).map(({ turnId }) => turnId)),
  )
})

test('an entry of the indexes whose turn was never written goes after a minute, and no longer counts against its tenant', async () => {
  const { open, tenant } = globalKeys(backend.prefix)
  const [old, fresh] = ['t-0000000000000000~old', 't-0000000000000000~new']
  await backend.redis.zadd(open, Date.now() - 61_000, old, Date.now(), fresh)
  await backend.redis.zadd(tenant('default').open, 1, old, 1, fresh)
  await reconcile({ backend, log })
  expect(await backend.redis.zrange(open, '0', '-1')).toEqual([fresh])
  expect(await backend.redis.zrange(tenant('default').open, '0', '-1')).toEqual([fresh])
})
