import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { createSim, type Sim } from '../../src/providers/sim/sim.ts'
import type { RedisServer } from '../../src/redis/embedded.ts'
import { startAnyRedis } from '../redis-servers.ts'
import { folderWith, type RunningCli, runCli, startCli } from './run-cli.ts'

let server: RedisServer
let sim: Sim
let folder: ReturnType<typeof folderWith>
const running: RunningCli[] = []

const configOf = (routes: string, more = '') => `
redis: { url: "${server.url}", durability: none }
server: { port: 0 }
metrics: { port: 0 }
providers: { sim: { protocol: openai-chat, baseUrl: "${sim.url}/v1" } }
models: { coder: { routes: [${routes}] } }
agents: ./agents.mjs
${more}`

const change = (text: string): void => writeFileSync(join(folder.path, 'turnkeeper.config.yaml'), text)

beforeAll(async () => {
  server = await startAnyRedis()
  sim = await createSim()
  folder = folderWith({
    'turnkeeper.config.yaml': configOf('sim/first'),
    'client.yaml': configOf('sim/first'),
    'agents.mjs': `
import { defineAgent } from ${JSON.stringify(join(process.cwd(), 'src/runtime/agent.ts'))}
export default [defineAgent({ name: 'assistant', model: 'coder' })]
`,
  })
})
afterEach(async () => {
  for (const cli of running.splice(0)) {
    cli.signal('SIGTERM')
    await cli.ended
  }
  change(configOf('sim/first'))
})
afterAll(async () => {
  folder[Symbol.dispose]()
  await sim.close()
  await server.close()
})

async function start(
  command: 'worker' | 'serve',
): Promise<{ cli: RunningCli; said: Record<string, string> }> {
  const cli = startCli([command, '--json'], { cwd: folder.path })
  running.push(cli)
  await expect.poll(() => cli.out()).toMatch(/\n$/)
  return { cli, said: JSON.parse(cli.out()) }
}

/** The lines of a process's log that say this. */
const linesOf = (cli: RunningCli, message: string) =>
  cli
    .err()
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line) as Record<string, unknown>)
    .filter((line) => line.message === message)

async function reload(cli: RunningCli, message = 'configuration reloaded') {
  const before = linesOf(cli, message).length
  cli.signal('SIGHUP')
  await expect.poll(() => linesOf(cli, message).length, { timeout: 10_000 }).toBe(before + 1)
  return linesOf(cli, message).at(-1)
}

async function routesOfATurn(): Promise<unknown> {
  const asking = ['enqueue', 'assistant', '--input', 'Say hello', '--watch', '--json']
  const turn = await runCli([...asking, '--config', 'client.yaml'], { cwd: folder.path })
  expect(turn.status, turn.err).toBe(0)
  return turn.json().routes
}

test('SIGHUP gives the next turn of a worker the changed alias; a wrong file changes nothing and says why', async () => {
  const { cli } = await start('worker')
  expect(await routesOfATurn()).toEqual(['sim/first'])

  change(configOf('sim/second', 'queue: { concurrency: 7 }'))
  expect(await reload(cli)).toMatchObject({ needs_restart: ['queue'] })
  expect(await routesOfATurn()).toEqual(['sim/second'])

  change(configOf('smi/third'))
  const refused = await reload(cli, 'configuration not reloaded: the old one stands')
  expect(refused).toMatchObject({ level: 'error', code: 'config/invalid_config' })
  expect(refused?.why).toContain('models.coder.routes[0]: no provider is named "smi", did you mean "sim"?')
  change('models: [')
  await reload(cli, 'configuration not reloaded: the old one stands')
  expect(await routesOfATurn()).toEqual(['sim/second'])
}, 60_000)

test('SIGHUP changes what a gateway explains', async () => {
  const { cli, said } = await start('serve')
  const explained = async () => (await fetch(`${said.url}/v1/routes?explain=coder`)).json()
  expect(await explained()).toMatchObject({ candidates: [{ route: 'sim/first' }] })
  change(configOf('sim/second'))
  await reload(cli)
  expect(await explained()).toMatchObject({ candidates: [{ route: 'sim/second', chosen: true }] })
}, 30_000)
