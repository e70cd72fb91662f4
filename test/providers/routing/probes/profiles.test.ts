import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import { TurnkeeperError } from '../../../../src/errors.ts'
import { openProfiles, type Profiles } from '../../../../src/providers/routing/probes/profiles.ts'
import { createProfileStore, type ProfileStore } from '../../../../src/providers/routing/probes/store.ts'
import type { AttemptReport } from '../../../../src/providers/upstream.ts'
import { closeRedis, connectRedis, type RedisConnection } from '../../../../src/redis/connection.ts'
import type { RedisServer } from '../../../../src/redis/embedded.ts'
import { startAnyRedis } from '../../../redis-servers.ts'

const cell = { stream: true, tools: true, format: 'text' } as const
const ok: AttemptReport = {
  ...{ route: 'p/a', outcome: 'ok', phase: 'after_content', streamed: true },
  ...{ usage: null, durationMs: 1, idleMs: 0 },
}
const broken: AttemptReport = {
  ...ok,
  outcome: 'failed',
  error: new TurnkeeperError('truncated_stream', 'scripted'),
}
const TTL_MS = 60_000

let server: RedisServer
let redis: RedisConnection
let store: ProfileStore
let profiles: Profiles
let link: { status: RedisConnection['status'] }
let nowMs: number
let calls: string[]
let count = 0

beforeAll(async () => {
  server = await startAnyRedis()
  redis = await connectRedis(server.url)
})
afterAll(async () => {
  await closeRedis(redis)
  await server.close()
})
beforeEach(async () => {
  calls = []
  nowMs = 1000
  link = { status: 'ready' }
  const real = createProfileStore({ redis, prefix: `v${++count}`, ttlMs: TTL_MS, budgetUsdPerDay: 1 })
  store = {
    ...real,
    read: (routes) => {
      calls.push('read')
      return real.read(routes)
    },
    witness: (...args) => {
      calls.push('witness')
      return real.witness(...args)
    },
  }
  // Its own timer never comes: the test says when.
  profiles = await openProfiles({
    ...{ store, redis: link, routes: ['p/a'], ttlMs: TTL_MS, tickMs: 3_600_000, now: () => nowMs },
  })
  calls = []
})
afterEach(() => profiles.close())

const saw = (report: AttemptReport, route = 'p/a'): void =>
  profiles.saw(route, { cell, report, finishReason: 'tool_calls', isFormatRefused: false })
const shown = () => profiles.shownOf('p/a')(cell)
const settle = async (): Promise<void> => {
  await profiles.refresh()
  await expect.poll(shown, { timeout: 5000 }).toBe('ok')
}

test('V1. decisions and good answers send Redis nothing', () => {
  for (let i = 0; i < 1000; i++) {
    saw(ok)
    shown()
  }
  expect(calls).toEqual([])
})

test('V3. good answers are told with a tick where a fact is missing or half over, and not while it is fresh', async () => {
  for (let i = 0; i < 3; i++) saw(ok)
  await settle()
  expect(calls).toContain('witness')
  calls = []
  for (let i = 0; i < 3; i++) saw(ok)
  await profiles.refresh()
  expect(calls).toEqual(['read'])
  nowMs += TTL_MS / 2 + 1
  await profiles.close() // tells what is wanted
  expect(calls).toContain('witness')
})

test('V3. a broken answer is told at once, V4. with the good ones of this process', async () => {
  for (let i = 0; i < 30; i++) saw(ok)
  saw(broken)
  expect(calls).toEqual(['witness'])
  saw(broken)
  await profiles.refresh()
  // 2 of 32 are no broken route.
  expect(shown()).toBeUndefined()
  for (let i = 0; i < 3; i++) saw(broken)
  await expect.poll(shown, { timeout: 5000 }).toBe('broken')
})

test('V2. while Redis is away the last facts stand until they end, and nothing is sent', async () => {
  for (let i = 0; i < 3; i++) saw(ok)
  await settle()
  calls = []
  link.status = 'reconnecting'
  saw(broken)
  await profiles.refresh()
  expect([shown(), calls]).toEqual(['ok', []])
  link.status = 'ready'
  await profiles.refresh()
  expect(calls).toContain('witness')
  link.status = 'reconnecting'
  nowMs += TTL_MS
  expect(shown()).toBeUndefined()
  expect(profiles.profileOf('p/a').size).toBe(0)
})

test('a route that stands in no alias is not learnt of', async () => {
  for (let i = 0; i < 5; i++) saw(broken, 'p/made-up')
  expect(calls).toEqual([])
  expect(profiles.profileOf('p/made-up').size).toBe(0)
})
