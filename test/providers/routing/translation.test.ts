import { resolve } from 'node:path'
import { expect, test } from 'vitest'
import type { ProviderConfig } from '../../../src/config/config.ts'
import { loadConfig } from '../../../src/config/load.ts'
import { createUpstream } from '../../../src/providers/attempt/create-upstream.ts'
import { capabilitiesOf } from '../../../src/providers/capabilities/registry.ts'
import { createAttemptEngine } from '../../../src/providers/routing/attempt-engine.ts'
import { createRouteTable } from '../../../src/providers/routing/route-table.ts'
import { createRouter } from '../../../src/providers/routing/router.ts'
import { zeroTranslationErrors } from '../../../src/providers/routing/translation.ts'
import type { ModelParameters, ModelRequest } from '../../../src/providers/types.ts'
import { fakeHealth, ROUTING, recordingTelemetry, scriptedUpstream } from './scripted.ts'

const NOWHERE = 'http://127.0.0.1:9'
const CONFIG = {
  providers: {
    chat: { protocol: 'openai-chat', baseUrl: `${NOWHERE}/v1` },
    claude: { protocol: 'anthropic', baseUrl: NOWHERE },
    ollama: { protocol: 'ollama', baseUrl: NOWHERE },
    local: { protocol: 'llamacpp-cli', command: { binary: 'llama-cli', modelsDir: '/models' } },
    unused: { protocol: 'openai-responses', baseUrl: `${NOWHERE}/v1` },
  },
  models: {
    coder: { routes: ['chat/m', 'claude/m'] },
    seer: { routes: ['ollama/m', 'chat/m'] },
    reader: { routes: ['local/m'] },
    mixed: { routes: ['local/m', 'chat/m'] },
  },
}

/** The engine on real upstreams, of which those of `chat` alone get an answer. */
async function stage() {
  const { providers, models, routing } = await loadConfig(CONFIG)
  const table = createRouteTable({ providers, models, routing })
  const telemetry = recordingTelemetry()
  const health = fakeHealth()
  const upstreamOf = (name: string) => {
    const route = table.route(name)
    const provider = route && providers[route.provider]
    if (route === undefined || provider === undefined) return undefined
    const { protocol, dialect, baseUrl } = provider
    const upstream = createUpstream({
      ...{ protocol, dialect, model: route.model, route: name, provider: provider.name },
      ...(baseUrl !== undefined && { baseUrl }),
      command: { binary: resolve('test/fixtures/llama-cli.mjs'), modelsDir: '/nowhere' },
    })
    if (provider.name !== 'chat') return upstream
    const answering = scriptedUpstream(name, [{ says: ['hi'] }])
    return { ...upstream, attempt: answering.attempt }
  }
  const engine = createAttemptEngine({
    router: createRouter({ table, health }),
    ...{ table, health, telemetry, upstreamOf, config: ROUTING },
    knowledge: {
      capabilitiesOf: ({ provider, model }) => {
        const { protocol, dialect } = providers[provider] as ProviderConfig // each route has its provider
        return capabilitiesOf({
          protocol,
          dialect,
          model: { id: model, ...(model === 'mute' && { tools: false }) },
        })
      },
    },
  })
  zeroTranslationErrors(telemetry, table)
  const counts = (): Record<string, number> =>
    Object.fromEntries(
      [...telemetry.counts]
        .filter(([name]) => name.startsWith('translation_errors_total '))
        .map(([name, value]) => [name.replace('translation_errors_total turnkeeper ', ''), value]),
    )
  return { run: (request: ModelRequest) => engine.run(request, () => {}), counts, lines: telemetry.lines }
}

const NONE = { 'openai-chat': 0, anthropic: 0, ollama: 0, 'llamacpp-cli': 0 }
const SECRET = 'what the caller said'
const said = (line: string): boolean => line.startsWith('request cannot be said')
const ask = (model: string, parameters: object): ModelRequest => ({
  model,
  messages: [{ role: 'user', content: SECRET }],
  parameters: parameters as ModelParameters, // what a client may have sent
})

test('each protocol that a configured route uses is there at 0', async () => {
  expect((await stage()).counts()).toEqual(NONE)
})

test('a parameter that one protocol of the alias lacks counts once, for that one, and its name is logged', async () => {
  const { run, counts, lines } = await stage()
  const { error, attempts } = await run(ask('coder', { seed: 7, reasoningEffort: SECRET }))
  expect([error?.code, attempts]).toEqual(['bad_request/invalid_parameter', []])
  expect(counts()).toEqual({ ...NONE, 'openai-chat': 1 })
  await run(ask('coder', { seed: 7 }))
  expect(counts()).toEqual({ ...NONE, 'openai-chat': 1, anthropic: 1 })
  expect(lines.filter(said).map((line) => JSON.parse(line.slice(line.indexOf('{'))))).toEqual([
    { route: 'chat/m', alias: 'coder', to: 'openai-chat', what: ['parameters.reasoningEffort'] },
    { route: 'claude/m', alias: 'coder', to: 'anthropic', what: ['parameters.seed'] },
  ])
  expect(lines.join()).not.toContain(SECRET)
})

test('content that a protocol cannot carry counts once for its route, though another one answers', async () => {
  const { run, counts, lines } = await stage()
  const url = `https://example.com/${SECRET}.png`
  const { outcome, route } = await run({
    model: 'seer',
    messages: [{ role: 'user', content: [{ type: 'image', url }] }],
  })
  expect([outcome, route]).toEqual(['ok', 'chat/m'])
  expect(counts()).toEqual({ ...NONE, ollama: 1 })
  expect(lines.filter(said)).toEqual([expect.stringContaining('Ollama fetches no images')])
  expect(lines.join()).not.toContain(SECRET)
})

test('tools for a protocol that has none count once where the call is refused', async () => {
  const { run, counts, lines } = await stage()
  const tools = [{ name: 't', description: SECRET, inputSchema: {} }]
  const refused = await run({ ...ask('reader', {}), tools })
  expect([refused.error?.code, refused.attempts]).toEqual(['not_found/capability_missing', []])
  expect(counts()).toEqual({ ...NONE, 'llamacpp-cli': 1 })
  expect(lines.filter(said)).toEqual([expect.stringContaining('"what":["tools"]')])
})

test('what only the model lacks, and a route that is passed over while another serves, count nothing', async () => {
  const { run, counts } = await stage()
  const tools = [{ name: 't', description: '', inputSchema: {} }]
  expect((await run({ ...ask('chat/mute', {}), tools })).error?.reason).toBe('capability_missing')
  expect(await run({ ...ask('mixed', {}), tools })).toMatchObject({ outcome: 'ok', route: 'chat/m' })
  expect(counts()).toEqual(NONE)
})

test('text that a local program would stop at counts once', async () => {
  const { run, counts } = await stage()
  const { error } = await run({ model: 'reader', messages: [{ role: 'user', content: 'a\0b' }] })
  expect(error?.code).toBe('bad_request/invalid_request')
  expect(counts()).toEqual({ ...NONE, 'llamacpp-cli': 1 })
})

test('a call that is sent, and fails there, counts nothing', async () => {
  const { run, counts } = await stage()
  const { error } = await run({ model: 'claude/m', messages: [{ role: 'user', content: 'Hello.' }] })
  expect(error?.category).toBe('network')
  expect(counts()).toEqual(NONE)
})
