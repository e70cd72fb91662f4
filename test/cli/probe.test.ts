import { afterAll, beforeAll, beforeEach, expect, test, vi } from 'vitest'
import type { RedisServer } from '../../src/redis/embedded.ts'
import { type Picky, startPicky } from '../providers/routing/probes/picky-upstream.ts'
import { startAnyRedis } from '../redis-servers.ts'
import { type CliResult, folderWith, runCli } from './run-cli.ts'

// Several processes a test, on a machine that may have other work.
vi.setConfig({ testTimeout: 60_000 })

let server: RedisServer
let picky: Picky
let folder: ReturnType<typeof folderWith>
let prefix = 0

const AGENTS = `export default [
  { name: 'talker', model: 'plain', instructions: '', tools: new Map(), maxSteps: 1, parameters: {} },
]`

beforeAll(async () => {
  server = await startAnyRedis()
  picky = await startPicky()
  const config = (more = ''): string => `
redis: { url: "${server.url}", prefix: "\${PREFIX}", durability: none }
providers:
  up: { protocol: openai-chat, baseUrl: "${picky.baseUrl}", toolTurns: { stream: "\${STREAM:-auto}" }, jsonMode: { fallback: "\${FALLBACK:-true}" } }
models:
  coder: { routes: [up/good, up/other] }
  plain: { routes: [up/talk] }
probes: { budgetUsdPerDay: "\${BUDGET:-1}" }
${more}`
  folder = folderWith({
    'turnkeeper.config.yaml': config(),
    'agents.yaml': config('agents: ./agents.mjs'),
    'agents.mjs': AGENTS,
    'lonely.yaml': config().replace(/^redis:.*$/m, 'redis: { dataDir: ./none }'),
  })
})
afterAll(async () => {
  folder[Symbol.dispose]()
  await picky[Symbol.asyncDispose]()
  await server.close()
})
beforeEach(() => {
  prefix++
  picky.set({})
})

const probe = (args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<CliResult> =>
  runCli(['probe', ...args], { cwd: folder.path, env: { PREFIX: `p${prefix}`, ...env } })

test('probe prints the matrix of all routes, what follows from it, and what it cost', async () => {
  picky.set({ 'stream+tools': 'truncates', 'whole+json': 'refuses' })
  const { status, out, err } = await probe([])
  expect(status).toBe(0)
  const lines = out.trimEnd().split('\n')
  expect(lines[0]).toMatch(/^route +plain +tools +json +tools\+json +so$/)
  expect(lines).toHaveLength(7)
  expect(lines[1]).toMatch(
    /^up\/good +whole +ok +ok +refused +refused +tool turns whole \(tools_shown_broken\)$/,
  )
  expect(lines[2]).toMatch(/^ +stream +ok +broken +refused +\S+ +json in words$/)
  expect(err).toMatch(/requests; \$0\.\d{4} of \$1 spent today/)
})

test('probe --json ends with one object; what is known is not asked for again, but with --refresh', async () => {
  const first = await probe(['up/good', '--json'])
  expect([first.status, first.out.split('\n').length]).toEqual([0, 2])
  expect(first.json()).toMatchObject({
    findings: [],
    budgetUsdPerDay: 1,
    routes: [
      {
        route: 'up/good',
        aliases: ['coder'],
        sent: 8,
        stopped: null,
        cells: { 'stream+tools': { verdict: 'ok', source: 'probe' } },
        manner: { toolTurns: { stream: true, reasons: ['tools_shown_safe'] }, json: { inWords: false } },
      },
    ],
  })
  expect((await probe(['up/good', '--json'])).json()).toMatchObject({ routes: [{ sent: 0 }] })
  expect((await probe(['up/good', '--json', '--refresh'])).json()).toMatchObject({ routes: [{ sent: 8 }] })
})

test('a route that fails a cell it is used for is a finding', async () => {
  picky.set({ 'stream+tools': 'truncates', 'whole+json': 'refuses' })
  const forced = await probe(['up/good'], { STREAM: 'true', FALLBACK: 'false' })
  expect(forced.status).toBe(1)
  expect(forced.err).toContain('finding: up/good stream+tools: broken, network/truncated_stream')
  expect(forced.err).toContain('finding: up/good stream+json: refused, bad_request/invalid_request')
})

test('what has failed is tried again at once by whoever asks', async () => {
  picky.set({ whole: '500' })
  const down = await probe(['up/good'])
  expect([down.status, down.out.split('\n')[1]]).toEqual([1, expect.stringMatching(/whole +failed +- +- +-/)])
  expect(down.err).toContain('finding: up/good whole: failed, server/server_error')
  picky.set({})
  expect((await probe(['up/good'])).status).toBe(0)
})

test('tools are no finding for a route whose agents have none', async () => {
  picky.set({ 'whole+tools': 'refuses' })
  expect((await probe(['up/talk'])).status).toBe(1)
  expect((await probe(['up/talk', '--config', 'agents.yaml'])).status).toBe(0)
})

test('the budget of the day ends it, and is no finding', async () => {
  const { status, err, json } = await probe(['--json'], { BUDGET: '0.016' })
  expect(status).toBe(0)
  expect(err).toContain('up/other: the budget of today has no room for more')
  expect(json()).toMatchObject({ routes: [{ sent: 3, stopped: 'budget' }, { sent: 0 }, { sent: 0 }] })
})

test('an unknown route is wrong usage, with the nearest one', async () => {
  const { status, err } = await probe(['up/god'])
  expect(status).toBe(2)
  expect(err).toContain('"up/god" is no route of an alias, did you mean "up/good"?')
  expect((await probe(['elsewhere/m'])).err).toContain('expected one of up/good, up/other, up/talk')
})

test('without a Redis that runs, it says so', async () => {
  const { status, err } = await probe(['--config', 'lonely.yaml'])
  expect(status).toBe(1)
  expect(err).toContain('Redis')
})
