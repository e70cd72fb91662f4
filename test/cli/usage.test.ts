import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { packageVersion } from '../../src/config/version.ts'
import { PROTOCOLS } from '../../src/providers/sim/protocols/protocols.ts'
import { folderWith, runCli } from './run-cli.ts'

const COMMANDS = [
  '',
  'worker',
  'serve',
  'sim',
  'enqueue',
  'turns',
  'turns show',
  'turns list',
  'records',
  'records show',
  'records list',
  'probe',
  'canary',
  'config',
  'config check',
]
const folder = folderWith({
  'bad.yaml': 'redis: { prefx: x }\n',
  'good.yaml': 'redis: { durability: none }\n',
  'resolve-log.mjs': `
    import { registerHooks } from 'node:module'
    import { appendFileSync } from 'node:fs'
    registerHooks({ resolve(name, context, next) {
      appendFileSync(process.env.RESOLVE_LOG, name + '\\n')
      return next(name, context)
    } })`,
})
afterAll(() => folder[Symbol.dispose]())
const cwd = folder.path

test('the help of sim lists every protocol with its endpoints', async () => {
  const { out } = await runCli(['sim', '--help'])
  for (const { name, path } of PROTOCOLS) expect(out).toMatch(new RegExp(`${name} +POST .*${path}`))
})

test.concurrent.each(COMMANDS)(
  'turnkeeper %s --help explains the command with an example',
  async (command) => {
    const { status, out } = await runCli([...command.split(' ').filter(Boolean), '--help'])
    expect(status).toBe(0)
    expect(out).toMatch(/^Usage: turnkeeper/)
    expect(out).toMatch(/Example:\n {2}turnkeeper /)
    expect(out).toMatch(/--config <file>/)
    expect(out).toMatch(/--json/)
  },
)

test('a level of the log that there is not is wrong usage, and the levels are told', async () => {
  const { status, err } = await runCli(['config', 'check', '--log-level', 'loud'])
  expect(status).toBe(2)
  expect(err).toContain('debug, info, warn, error')
})

test('help loads neither the queue, nor the server, nor the HTTP client, nor the telemetry SDK', async () => {
  const log = join(cwd, 'resolved.txt')
  const nodeOptions = ['--import', join(cwd, 'resolve-log.mjs')]
  await runCli(['--help'], { nodeOptions, env: { RESOLVE_LOG: log } })
  const packages = readFileSync(log, 'utf8')
    .split('\n')
    .filter((name) => /^[a-z@]/.test(name) && !/^(node|file):/.test(name))
  expect([...new Set(packages)]).toContain('commander')
  expect(
    packages.filter((name) => /bullmq|ioredis|fastify|undici|opentelemetry|pino|zod|yaml/.test(name)),
  ).toEqual([])
})

test('--version prints the version alone', async () => {
  expect(await runCli(['--version'])).toMatchObject({ status: 0, out: `${packageVersion()}\n` })
})

describe('wrong usage', () => {
  test.concurrent.each([
    ['no command', []],
    ['an unknown command', ['wrker']],
    ['an unknown option', ['turns', 'list', '--limt', '3']],
    ['a missing argument', ['turns', 'show']],
    ['a missing option', ['enqueue', 'assistant']],
    ['one argument too many', ['turns', 'list', 'more']],
    ['a family without a command', ['turns']],
    ['a port that is none', ['sim', '--port', '99999']],
    ['a duration that is none', ['enqueue', 'a', '--input', 'x', '--timeout', 'soon']],
    ['a priority out of range', ['enqueue', 'a', '--input', 'x', '--priority', '11']],
    ['a worker without a configuration', ['worker']],
    ['a server without a configuration', ['serve']],
    ['a canary without a configuration', ['canary']],
    ['a scenario that there is not', ['canary', 'tool']],
    ['a check without a configuration', ['config', 'check']],
    ['a worker on a bad configuration', ['worker', '--config', 'bad.yaml']],
    ['a turn on a bad configuration', ['enqueue', 'a', '--input', 'x', '--config', 'bad.yaml']],
    ['a worker without agents', ['worker', '--config', 'good.yaml']],
  ])('%s ends with status 2, words on standard error and one JSON object', async (_name, args) => {
    const { status, err, out, json } = await runCli([...args, '--json'], { cwd })
    expect(status).toBe(2)
    expect(err).toMatch(/\S/)
    expect(err).not.toMatch(/^\s+at /m)
    expect(json()).toMatchObject({ error: { code: expect.any(String), message: expect.any(String) } })
    expect(out.trimEnd().split('\n')).toHaveLength(1)
  })

  test('an unknown option names the one that was meant', async () => {
    expect((await runCli(['turns', 'list', '--limt', '3'])).err).toMatch(/--limit/)
  })
})

describe('config check', () => {
  test('problems of the file are findings, each on a line', async () => {
    const { status, err, json } = await runCli(['config', 'check', '--config', 'bad.yaml', '--json'], { cwd })
    expect(status).toBe(1)
    expect(err).toMatch(/redis\.prefx: unknown key, did you mean "prefix"\?/)
    expect(json()).toMatchObject({ error: { code: 'config/invalid_config' } })
  })

  test('a good file is described and no key is shown', async () => {
    using place = folderWith({
      'turnkeeper.config.yaml': `
redis: { url: "redis://:hunter2@127.0.0.1:6379" }
providers: { local: { protocol: openai-chat, baseUrl: "http://127.0.0.1:1/v1", credentials: [{ id: main, apiKey: "\${KEY}" }] } }
models: { coder: { routes: [local/m] } }
agents: ./agents.mjs
`,
      'agents.mjs': agentsModule(
        `{ name: 'assistant', model: 'coder', tools: [clock] }, { name: 'direct', model: 'local/x' }`,
      ),
    })
    const { status, out, err } = await runCli(['config', 'check'], {
      cwd: place.path,
      env: { KEY: 'sk-secret-1' },
    })
    expect({ status, err }).toMatchObject({ status: 0 })
    expect(out).toMatch(/coder {2}first_healthy: local\/m/)
    expect(out).toMatch(/assistant {2}model coder {2}tools: clock \(pure\)/)
    expect(out + err).not.toMatch(/hunter2|sk-secret/)
  })

  test('agents that cannot be loaded, or name a model that nothing serves, are findings', async () => {
    using place = folderWith({
      'odd.yaml': 'agents: ./odd.mjs\n',
      'odd.mjs': agentsModule(`{ name: 'odd', model: 'codr' }`),
      'broken.yaml': 'agents: ./missing.mjs\n',
    })
    const check = (file: string) =>
      runCli(['config', 'check', '--json', '--config', file], { cwd: place.path })
    const odd = await check('odd.yaml')
    expect(odd.status).toBe(1)
    expect(odd.json()).toMatchObject({
      ok: false,
      findings: [expect.stringMatching(/agent odd: its model codr/)],
    })
    const broken = await check('broken.yaml')
    expect(broken.status).toBe(1)
    expect(broken.json()).toMatchObject({ ok: false, findings: [expect.stringMatching(/missing\.mjs/)] })
  })
})

function agentsModule(agents: string): string {
  const source = (name: string): string => JSON.stringify(join(process.cwd(), 'src/runtime', name))
  return `
import { defineAgent } from ${source('agent.ts')}
import { defineTool } from ${source('tools/tool.ts')}
const clock = defineTool({ name: 'clock', description: 'tells the time', effect: 'pure',
  inputSchema: { type: 'object', properties: {} }, execute: () => '12:00' })
export default [${agents}].map(defineAgent)
`
}
