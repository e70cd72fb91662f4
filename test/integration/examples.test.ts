import { spawnSync } from 'node:child_process'
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createSim, type Sim } from '../../src/providers/sim/sim.ts'
import { startCli, startNode } from './fleet.ts'

const keys = { OPENROUTER_API_KEY: 'sk-or-test', OPENAI_API_KEY: 'sk-test' }
const { REDIS_URL: _redisUrl, ...inherited } = process.env
const env = { ...inherited, ...keys }
let sim: Sim
let folder: string

beforeAll(async () => {
  sim = await createSim()
  folder = mkdtempSync(join(tmpdir(), 'tk-examples-'))
})
afterAll(async () => {
  await sim.close()
  rmSync(folder, { recursive: true, force: true })
})

const numbered = readdirSync('examples').filter((name) => /^\d\d-.*\.ts$/.test(name))

test.each(numbered)('examples/%s runs as it stands there', (name) => {
  const run = spawnSync(process.execPath, [join('examples', name)], { encoding: 'utf8', env })
  expect(run.stderr).not.toMatch(/error|^\s+at /im)
  expect(run.stdout).toMatch(/completed after \d+ steps and \d+ tokens/)
  expect(run.status).toBe(0)
})

test.each(['openai', 'openrouter'])(
  'examples/%s.yaml passes the check, and names the key that is missing',
  async (name) => {
    const file = resolve(`examples/${name}.yaml`)
    const good = startCli(['config', 'check', '--config', file], folder, env)
    expect(await good.end('SIGCONT'), good.output()).toBe(0)
    const { OPENAI_API_KEY: _key, ...without } = env
    const bad = startCli(['config', 'check', '--config', file], folder, without)
    expect(await bad.end('SIGCONT')).toBe(1)
    expect(bad.output()).toContain('OPENAI_API_KEY')
    expect(bad.output()).not.toMatch(/^\s+at /m)
  },
)

// A worker's own Redis has to serve the command beside it, which the JavaScript one does as well.
test.each(['openai', 'openrouter'])(
  'examples/%s.yaml works with nothing but its base URLs changed',
  async (name) => {
    const home = join(folder, name)
    mkdirSync(home)
    const text = readFileSync(`examples/${name}.yaml`, 'utf8')
    writeFileSync(
      join(home, 'turnkeeper.config.yaml'),
      text.replace(/baseUrl: .*/g, `baseUrl: ${sim.url}/v1`),
    )
    symlinkSync(resolve('examples/agents.ts'), join(home, 'agents.ts'))
    const worker = startCli(['worker'], home, env)
    try {
      await worker.match(/takes turns/)
      const asked = startCli(
        ['enqueue', 'assistant', '--input', 'say "It works."', '--watch', '--json'],
        home,
        env,
      )
      expect(await asked.end('SIGCONT'), asked.output()).toBe(0)
      expect(asked.output()).toContain('It works.')
    } finally {
      await worker.end()
    }
  },
)

test('the program in the README runs as it stands there', async () => {
  const home = join(folder, 'readme')
  mkdirSync(join(home, 'node_modules'), { recursive: true })
  for (const name of ['turnkeeper', 'zod']) {
    symlinkSync(
      name === 'turnkeeper' ? resolve('.') : resolve('node_modules', name),
      join(home, 'node_modules', name),
    )
  }
  const program = /```ts\n([\s\S]*?)```/.exec(readFileSync('README.md', 'utf8'))?.[1]
  writeFileSync(join(home, 'program.ts'), program as string)
  writeFileSync(
    join(home, 'turnkeeper.config.yaml'),
    `redis: { durability: none }\nproviders: { sim: { protocol: openai-chat, baseUrl: "${sim.url}/v1" } }\n` +
      'models: { coder: { routes: [sim/any] } }\ntelemetry: { logLevel: error }\n',
  )
  const run = startNode(['program.ts'], home, env)
  expect(await run.end('SIGCONT'), run.output()).toBe(0)
  // The simulated model repeats what it was asked.
  expect(run.output()).toMatch(/^[^\n]*What is 20 \+ 22\?"?$/m)
})
