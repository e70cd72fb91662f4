import { afterAll, beforeAll, expect, test } from 'vitest'
import { sendJson, serve, type UpstreamServer } from '../providers/upstream-server.ts'
import { folderWith, runCli } from './run-cli.ts'

let upstream: UpstreamServer
let folder: ReturnType<typeof folderWith>

beforeAll(async () => {
  upstream = await serve((response) =>
    sendJson(response, { data: [{ id: 'seer', context_length: 200_000 }, { id: 'gpt-5-mini' }] }),
  )
  folder = folderWith({
    'turnkeeper.config.yaml': `
redis: { dataDir: ./redis }
providers:
  up: { protocol: openai-chat, dialect: openai, baseUrl: "${upstream.baseUrl}" }
models:
  coder: { routes: [up/gpt-5-mini, up/o3-mini] }
`,
    'wrong.yaml': `
providers:
  up:
    protocol: openai-chat
    baseUrl: "${upstream.baseUrl}"
    parameters: { defaults: { max_tokens: 5 } }
`,
  })
})
afterAll(async () => {
  folder[Symbol.dispose]()
  await upstream[Symbol.asyncDispose]()
})

const cli = (...args: string[]) => runCli(args, { cwd: folder.path })

test('routes lists what is configured, and what each can', async () => {
  const { status, out } = await cli('routes')
  expect(status).toBe(0)
  expect(out).toMatch(/up\/gpt-5-mini .* coder .*vision.*tools/)
  expect(out).toMatch(/up\/o3-mini/)
})

test('routes --can leaves the able ones, and finding none is a finding', async () => {
  const able = await cli('routes', '--can', 'tools,vision', '--json')
  expect(able.json()).toMatchObject({
    routes: [{ name: 'up/gpt-5-mini', capabilities: { vision: { can: true } } }],
  })
  expect((await cli('routes', '--can', 'multimodal')).status).toBe(1)
})

test('config explain tells the order, who cannot, and what would be tried', async () => {
  const { status, out } = await cli('config', 'explain', 'coder', '--images')
  expect(status).toBe(0)
  const [head, first, second, next] = out.trimEnd().split('\n')
  expect(head).toBe('coder  first_healthy, needs vision')
  expect(first).toMatch(/^ {2}1 {2}up\/gpt-5-mini +closed; first by configured order$/)
  expect(second).toMatch(/^ {2}- {2}up\/o3-mini +cannot serve this request: up\/o3-mini lacks vision/)
  expect(next).toBe('next: up/gpt-5-mini alone; 1 retry a route, at most 4 attempts')
  const explained = await cli('config', 'explain', 'coder', '--tools', '--json')
  expect(explained.json()).toMatchObject({ model: 'coder', needs: ['tools'], candidates: [{ place: 1 }, {}] })
})

test('config explain of a name that leads nowhere is a failure that names the nearest', async () => {
  const { status, err } = await cli('config', 'explain', 'codr')
  expect(status).toBe(1)
  expect(err).toContain('"codr" leads to no route, did you mean "coder"?')
})

test('an unknown capability is wrong usage, with the nearest name', async () => {
  const { status, err } = await cli('routes', '--can', 'visoin')
  expect(status).toBe(2)
  expect(err).toContain('did you mean "vision"?')
})

test("models shows the provider's own list", async () => {
  const { status, out, json } = await cli('models', '--refresh', '--json')
  expect([status, out.split('\n').length]).toEqual([0, 2])
  expect(json()).toMatchObject({
    providers: [{ provider: 'up', models: [{ id: 'seer', contextWindow: 200_000 }, {}] }],
  })
  expect((await cli('models')).out).toMatch(/seer +200K/)
})

test('config check finds parameters that a vendor would refuse', async () => {
  const { status, err } = await cli('config', 'check', '--config', 'wrong.yaml')
  expect(status).toBe(1)
  expect(err).toContain('providers.up.parameters.defaults.max_tokens: unknown parameter')
})
