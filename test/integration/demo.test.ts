import { spawn, spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { hasRedisServer, startAnyRedis } from '../redis-servers.ts'

type Summary = {
  turns: { accepted: number; completed: number; failed: number }
  steps: number
  toolCalls: number
  htmlPayloads: number
  stalls: number
  reroutes: number
  breaker: Record<string, string[]>
  redis: string
  wallMs: number
}

const { REDIS_URL: _redisUrl, ...inherited } = process.env
let bare: string

beforeAll(() => {
  bare = mkdtempSync(join(tmpdir(), 'tk-path-'))
  symlinkSync(process.execPath, join(bare, 'node'))
})
afterAll(() => rmSync(bare, { recursive: true, force: true }))

function runDemo(env: NodeJS.ProcessEnv): Summary {
  const run = spawnSync(process.execPath, ['examples/demo/main.ts', '--json'], {
    encoding: 'utf8',
    env,
    timeout: 90_000,
  })
  expect(run.status, run.stderr).toBe(0)
  return JSON.parse(run.stdout.trim().split('\n').at(-1) as string) as Summary
}

function expectGoodStory(summary: Summary): void {
  expect(summary.turns).toEqual({ accepted: 24, completed: 24, failed: 0 })
  expect(summary.htmlPayloads).toBeGreaterThan(0)
  expect(summary.stalls).toBeGreaterThan(0)
  expect(summary.reroutes).toBeGreaterThan(0)
  expect(summary.toolCalls).toBeGreaterThan(0)
  const history = summary.breaker['aggregator/glm-4.6']
  expect(history?.[0]).toBe('closed')
  expect(history).toContain('open')
  expect(summary.wallMs).toBeLessThan(90_000)
}

test('with nothing installed the demo completes on the JavaScript Redis', () => {
  const summary = runDemo({ ...inherited, PATH: bare })
  expect(summary.redis).toBe('fallback')
  expectGoodStory(summary)
}, 120_000)

test.skipIf(!hasRedisServer)(
  'with redis-server on the PATH the demo completes on one of its own',
  () => {
    const summary = runDemo(inherited)
    expect(summary.redis).toBe('spawned')
    expectGoodStory(summary)
  },
  120_000,
)

test('with REDIS_URL the demo completes on that one and leaves nothing in it', async () => {
  await using redis = await startAnyRedis()
  const summary = runDemo({ ...inherited, REDIS_URL: redis.url })
  expect(summary.redis).toBe('url')
  expectGoodStory(summary)
}, 120_000)

test('Ctrl-C ends the demo and all its processes', async () => {
  const demo = spawn(process.execPath, ['examples/demo/main.ts'], {
    env: inherited,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let said = ''
  const pids = await new Promise<number[]>((resolve) => {
    demo.stdout.on('data', (chunk) => {
      said += String(chunk)
      const found = [...said.matchAll(/\(pid (\d+)\)/g)].map((match) => Number(match[1]))
      if (found.length === 3 && said.includes('Enqueued')) resolve(found)
    })
  })
  const ended = new Promise<number | null>((resolve) => demo.once('exit', resolve))
  demo.kill('SIGINT')
  expect(await ended).toBe(130)
  for (const pid of pids) expect(() => process.kill(pid, 0)).toThrow()
}, 60_000)
