import { afterAll, beforeAll, expect, test } from 'vitest'
import { DEFAULTS } from '../../src/config/defaults.ts'
import { policyFromConfig } from '../../src/providers/routing/breaker/rules.ts'
import { createBreakerStore } from '../../src/providers/routing/breaker/store.ts'
import { closeRedis, connectRedis } from '../../src/redis/connection.ts'
import type { RedisServer } from '../../src/redis/embedded.ts'
import { startAnyRedis } from '../redis-servers.ts'
import { type CliResult, folderWith, runCli } from './run-cli.ts'

let server: RedisServer
let folder: ReturnType<typeof folderWith>

beforeAll(async () => {
  server = await startAnyRedis()
  folder = folderWith({
    'turnkeeper.config.yaml': `
redis: { url: "${server.url}", durability: none }
providers: { sim: { protocol: openai-chat, baseUrl: "http://127.0.0.1:9/v1" } }
models: { coder: { routes: [sim/any] } }
`,
  })
})
afterAll(async () => {
  folder[Symbol.dispose]()
  await server.close()
})

const breaker = (...args: string[]): Promise<CliResult> =>
  runCli(['breaker', ...args, '--json'], { cwd: folder.path })

test('a route is kept open for a time and reset, with who and why in the history', async () => {
  const opened = await breaker('open', 'sim/any', '--for', '2h', '--reason', 'bad answers')
  expect(opened).toMatchObject({ status: 0 })
  expect(opened.json()).toMatchObject({ route: 'sim/any', state: 'open', reason: 'bad answers' })
  const forMs = Date.parse(String(opened.json().until)) - Date.now()
  expect(forMs).toBeGreaterThan(7_100_000)
  expect(forMs).toBeLessThanOrEqual(7_200_000)
  expect((await breaker('close', 'sim/any')).json()).toMatchObject({ state: 'closed' })
  expect((await breaker('reset', 'sim/any')).json()).toMatchObject({ state: 'closed', until: null })

  const redis = await connectRedis(server.url)
  const store = createBreakerStore({
    redis,
    prefix: 'turnkeeper',
    policy: policyFromConfig(DEFAULTS.breakers),
  })
  const history = await store.history(10)
  expect(history.map(({ reason }) => reason)).toEqual(['forced_open', 'forced_closed', 'reset'])
  expect(history[0]?.audit).toMatchObject({ reason: 'bad answers', forMs: 7_200_000 })
  expect(history[0]?.audit?.by).toMatch(/^.+@.+$/)
  await closeRedis(redis)
})

test('a route that is not configured is refused with those that are', async () => {
  const refused = await breaker('open', 'sim/other')
  expect(refused.status).not.toBe(0)
  expect(refused.err).toContain('"sim/other" is no route of an alias: expected one of sim/any')
})

test('a time that is no duration is wrong usage', async () => {
  const refused = await breaker('open', 'sim/any', '--for', 'ever')
  expect(refused.status).toBe(2)
  expect(refused.err).toContain('Expected a duration')
})
