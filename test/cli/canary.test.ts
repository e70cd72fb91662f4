import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest'
import { createSim, type Sim } from '../../src/providers/sim/sim.ts'
import type { RedisServer } from '../../src/redis/embedded.ts'
import { startAnyRedis } from '../redis-servers.ts'
import { type CliResult, folderWith, type RunningCli, runCli, startCli } from './run-cli.ts'

// Several processes a test, on a machine that may have other work.
vi.setConfig({ testTimeout: 60_000 })

let server: RedisServer
let sim: Sim
let folder: ReturnType<typeof folderWith>

beforeAll(async () => {
  server = await startAnyRedis()
  sim = await createSim()
  folder = folderWith({
    'turnkeeper.config.yaml': `
redis: { url: "${server.url}", durability: none }
metrics: { port: 0 }
providers:
  up: { protocol: openai-chat, baseUrl: "${sim.url}/v1" }
models:
  coder: { routes: [up/gpt-5-mini] }
  plain: { routes: [up/unknown] }
`,
    'blind.yaml': `
redis: { url: "${server.url}", durability: none }
providers: { local: { protocol: llamacpp-cli, command: { binary: llama-cli, modelsDir: . } } }
models: { local: { routes: [local/m] } }
`,
  })
})
afterEach(() => sim.clear())
afterAll(async () => {
  folder[Symbol.dispose]()
  await sim.close()
  await server.close()
})

const canary = (...args: string[]): Promise<CliResult> => runCli(['canary', ...args], { cwd: folder.path })

test('all scenarios run on what can, and what is passed over is told', async () => {
  const { status, out, err } = await canary()
  expect(status).toBe(0)
  const lines = out.trimEnd().split('\n')
  expect(lines).toHaveLength(5)
  expect(lines[0]).toMatch(/^scenario +alias +route +result +duration +code$/)
  expect(lines[3]).toMatch(/^tool-image +coder +up\/gpt-5-mini +ok +\d/)
  expect(lines[4]).toMatch(/^text +plain +up\/unknown +ok +\d/)
  expect(err).toContain('tools on plain passed over: nobody has said that a route of it has tools')
  expect(err).toContain('4 runs, 0 failed')
})

test('--json ends with one object, and says nothing of what was asked and answered', async () => {
  const { status, out, json } = await canary('tools', 'text', '--model', 'coder', '--json')
  expect([status, out.split('\n').length]).toEqual([0, 2])
  const run = { model: 'coder', route: 'up/gpt-5-mini', result: 'ok' }
  expect(json()).toEqual({
    runs: ['text', 'tools'].map((scenario) => ({
      ...{ ...run, scenario, durationMs: expect.any(Number), costUsd: null },
    })),
    passedOver: [],
  })
})

test('a scenario that fails is a finding, with its code', async () => {
  sim.control({ model: '*', fault: 'html' })
  const { status, out, err } = await canary('text', '--model', 'plain')
  expect(status).toBe(1)
  expect(out).toMatch(/^text +plain +up\/unknown +failed +.* server\/html_payload$/m)
  expect(err).toContain('1 run, 1 failed')
})

test('nothing to run is a finding, too', async () => {
  const blind = await canary('tools', '--config', 'blind.yaml')
  expect(blind.status).toBe(1)
  expect(blind.err).toContain('nothing was run: no alias can')
})
test('wrong usage: a scenario, a model and an interval that there are not', async () => {
  const scenario = await canary('tool')
  expect([scenario.status, scenario.err]).toEqual([2, expect.stringContaining('text, tools, tool-image')])
  const model = await canary('--model', 'codr')
  expect(model.status).toBe(2)
  expect(model.err).toContain('"codr" leads to no route, did you mean "coder"?')
  expect((await canary('--every', 'often')).status).toBe(2)
  expect((await canary('--every', '5m', '--model', 'codr')).status).toBe(2)
})

test('Ctrl-C cancels the run under way, which counts as no failure', async () => {
  sim.control({ model: '*', fault: 'stall' })
  const before = sim.log().length
  const cli = startCli(['canary', 'text', '--json'], { cwd: folder.path })
  await expect.poll(() => sim.log().length).toBeGreaterThan(before)
  cli.signal('SIGINT')
  const { status, json } = await cli.ended
  expect(status).toBe(130)
  expect(json()).toMatchObject({ runs: [{ scenario: 'text', result: 'cancelled' }] })
})

describe('with --every', () => {
  const start = (...args: string[]): RunningCli =>
    startCli(['canary', '--json', ...args], { cwd: folder.path, env: { NODE_ENV: 'test' } })
  /** What it says of itself. */
  const announced = async (cli: RunningCli): Promise<{ metricsUrl: string }> => {
    await expect.poll(() => cli.out()).toMatch(/\n$/)
    return JSON.parse(cli.out())
  }
  const count = async (metricsUrl: string, scenario: string, result: string): Promise<number> => {
    const page = await (await fetch(metricsUrl)).text()
    const line = page
      .split('\n')
      .find(
        (text) =>
          text.startsWith('canary_runs_total{') &&
          text.includes(`scenario="${scenario}"`) &&
          text.includes(`result="${result}"`),
      )
    return Number(line?.split(' ')[1])
  }

  test('it runs again and again, counts and logs each run, and leaves on SIGTERM', async () => {
    const cli = start('text', 'tools', '--model', 'coder', '--every', '100ms')
    const { metricsUrl } = await announced(cli)
    expect(cli.err()).toContain(`canary runs text, tools; metrics at ${metricsUrl}`)
    await expect.poll(() => count(metricsUrl, 'tools', 'ok')).toBeGreaterThan(1)
    expect(await count(metricsUrl, 'tools', 'failed')).toBe(0)
    sim.control({ model: '*', fault: '500' })
    await expect.poll(() => count(metricsUrl, 'text', 'failed')).toBeGreaterThan(0)
    expect((await fetch(new URL('/health', metricsUrl))).status).toBe(200)
    cli.signal('SIGTERM')
    expect((await cli.ended).status).toBe(0)
    const lines = cli.err().match(/^\{.*"canary run failed".*$/gm) ?? []
    expect(JSON.parse(lines[0] ?? '')).toMatchObject({ alias: 'coder', code: 'server/server_error' })
    expect(cli.err()).not.toMatch(/Lisbon|sunny|Say hello/i)
  })

  test('both counters stand at 0 before the first run has ended, and Ctrl-C does not wait for it', async () => {
    sim.control({ model: '*', fault: 'stall' })
    const before = sim.log().length
    const cli = start('--every', '5m')
    const { metricsUrl } = await announced(cli)
    await expect.poll(() => sim.log().length).toBeGreaterThan(before)
    for (const scenario of ['text', 'tools', 'tool-image'])
      for (const result of ['ok', 'failed']) expect(await count(metricsUrl, scenario, result)).toBe(0)
    cli.signal('SIGINT')
    expect((await cli.ended).status).toBe(0)
    expect(cli.err()).not.toContain('canary run failed')
  })

  test('SIGHUP takes up an alias that was added', async () => {
    const config = (more = ''): string => `
redis: { url: "${server.url}", durability: none, prefix: reloaded }
metrics: { port: 0 }
providers: { up: { protocol: openai-chat, baseUrl: "${sim.url}/v1" } }
models: { coder: { routes: [up/m] }${more} }
`
    using place = folderWith({ 'turnkeeper.config.yaml': config() })
    const cli = startCli(['canary', 'text', '--every', '100ms', '--json'], { cwd: place.path })
    await announced(cli)
    await expect.poll(() => cli.err()).toContain('"alias":"coder"')
    writeFileSync(join(place.path, 'turnkeeper.config.yaml'), config(', late: { routes: [up/n] }'))
    cli.signal('SIGHUP')
    await expect.poll(() => cli.err()).toContain('"alias":"late"')
    cli.signal('SIGTERM')
    expect((await cli.ended).status).toBe(0)
  })
})
