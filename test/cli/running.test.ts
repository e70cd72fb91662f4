import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createSim, type Sim } from '../../src/providers/sim/sim.ts'
import type { RedisServer } from '../../src/redis/embedded.ts'
import { startAnyRedis } from '../redis-servers.ts'
import { folderWith, type RunningCli, runCli, startCli } from './run-cli.ts'

let server: RedisServer
let sim: Sim
let folder: ReturnType<typeof folderWith>

beforeAll(async () => {
  server = await startAnyRedis()
  sim = await createSim()
  folder = folderWith({
    'turnkeeper.config.yaml': `
redis: { url: "${server.url}", durability: none }
server: { port: 0 }
metrics: { port: 0 }
providers: { sim: { protocol: openai-chat, baseUrl: "${sim.url}/v1" } }
models: { coder: { routes: [sim/any] } }
agents: ./agents.mjs
`,
    'agents.mjs': `
import { defineAgent } from ${JSON.stringify(join(process.cwd(), 'src/runtime/agent.ts'))}
export default [defineAgent({ name: 'assistant', model: 'coder' })]
`,
  })
})
afterAll(async () => {
  folder[Symbol.dispose]()
  await sim.close()
  await server.close()
})

const start = (...args: string[]): RunningCli => startCli(args, { cwd: folder.path })
/** What a started command says of itself with --json. */
const announced = async (cli: RunningCli): Promise<Record<string, string>> => {
  await expect.poll(() => cli.out()).toMatch(/\n$/)
  return JSON.parse(cli.out())
}

test('a worker tells where its metrics are, runs a turn, and leaves gracefully on SIGTERM', async () => {
  const worker = start('worker', '--json')
  const { metricsUrl } = await announced(worker)
  expect(worker.err()).toContain(`metrics at ${metricsUrl}`)
  const turn = await runCli(['enqueue', 'assistant', '--input', 'Say hello', '--watch', '--json'], {
    cwd: folder.path,
  })
  expect(turn).toMatchObject({ status: 0 })
  expect(turn.json()).toMatchObject({ status: 'completed', routes: ['sim/any'] })
  const page = await (await fetch(metricsUrl ?? '')).text()
  expect(page).toMatch(/^turns_total\{.*agent="assistant".*outcome="ok".*\} 1/m)
  worker.signal('SIGTERM')
  expect((await worker.ended).status).toBe(0)
})

test('a second Ctrl-C does not wait for the turn that holds a worker up', async () => {
  const worker = start('worker', '--json')
  await announced(worker)
  const slow = ['--input', 'Say hello', '--model', 'sim/any+slowheaders:20000']
  const turn = startCli(['enqueue', 'assistant', '--watch', ...slow], { cwd: folder.path })
  await expect.poll(() => turn.err()).toMatch(/m1 asks/)
  worker.signal('SIGINT')
  await sleep(400)
  const askedAt = performance.now()
  worker.signal('SIGINT')
  expect((await worker.ended).status).toBe(130)
  expect(performance.now() - askedAt).toBeLessThan(1_000)
  turn.signal('SIGTERM')
  expect((await turn.ended).status).toBe(143)
})

test('a server answers until Ctrl-C, and a second one on its port says that it is taken', async () => {
  const gateway = start('serve', '--json')
  const { url = '' } = await announced(gateway)
  expect((await fetch(`${url}/health`)).status).toBe(200)
  using other = folderWith({
    'turnkeeper.config.yaml': `
redis: { url: "${server.url}", durability: none }
server: { port: ${new URL(url).port} }
metrics: { port: 0 }
`,
  })
  const second = await runCli(['serve', '--json'], { cwd: other.path })
  expect(second.status).toBe(1)
  expect(second.json()).toMatchObject({ error: { code: 'config/port_in_use' } })
  gateway.signal('SIGINT')
  expect((await gateway.ended).status).toBe(0)
})

test('a simulated upstream serves until it is told to stop, and a taken port is a failure', async () => {
  const cli = start('sim', '--port', '0', '--json')
  const { url = '', port } = await announced(cli)
  expect((await fetch(`${url}/_log`)).status).toBe(200)
  const second = await runCli(['sim', '--port', String(port), '--json'])
  expect(second.status).toBe(1)
  expect(second.json()).toMatchObject({ error: { code: 'config/port_in_use' } })
  expect(second.err).toMatch(`port ${port} of 127.0.0.1 is taken`)
  cli.signal('SIGTERM')
  expect((await cli.ended).status).toBe(0)
})

test('an address that is not of this machine is a failure without a stack', async () => {
  const { status, err } = await runCli(['sim', '--port', '0', '--host', '192.0.2.1'])
  expect(status).toBe(1)
  expect(err).toMatch(/EADDRNOTAVAIL/)
  expect(err).not.toMatch(/^\s+at /m)
})
