/** Scenarios against the simulated upstream, in every protocol that can. */

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { loadConfig } from '../../../src/config/load.ts'
import { openProviderRuntime, type ProviderRuntime } from '../../../src/providers/runtime.ts'
import { createSim, type Sim } from '../../../src/providers/sim/sim.ts'
import type { StreamPart } from '../../../src/providers/types.ts'
import { closeRedis, connectRedis, type RedisConnection } from '../../../src/redis/connection.ts'
import type { RedisServer } from '../../../src/redis/embedded.ts'
import { SCENARIO_NAMES } from '../../../src/runtime/canary/names.ts'
import { runScenario } from '../../../src/runtime/canary/run.ts'
import { SCENARIOS } from '../../../src/runtime/canary/scenarios.ts'
import { startAnyRedis } from '../../redis-servers.ts'

let sim: Sim
let server: RedisServer
let command: RedisConnection
let subscriber: RedisConnection
let runtime: ProviderRuntime
const folder = mkdtempSync(join(tmpdir(), 'tk-canary-'))

beforeAll(async () => {
  sim = await createSim()
  server = await startAnyRedis()
  command = await connectRedis(server.url)
  subscriber = await connectRedis(server.url, { role: 'subscriber' })
  const config = await loadConfig({
    recorder: { dir: folder },
    providers: {
      chat: { protocol: 'openai-chat', baseUrl: `${sim.url}/v1` },
      responses: { protocol: 'openai-responses', baseUrl: `${sim.url}/v1` },
      claude: { protocol: 'anthropic', baseUrl: sim.url },
      ollama: { protocol: 'ollama', baseUrl: sim.url },
    },
    models: { coder: { routes: ['chat/sick', 'claude/well'] } },
    routing: { backoff: { base: '1ms', max: '10ms' } },
  })
  runtime = await openProviderRuntime(config, { redis: { command, subscriber } })
})
afterAll(async () => {
  await runtime.close()
  await closeRedis(command)
  await closeRedis(subscriber)
  await server.close()
  await sim.close()
  rmSync(folder, { recursive: true, force: true })
})

const run = (scenario: keyof typeof SCENARIOS, model: string, limitMs = 10_000) =>
  runScenario(runtime, { scenario: SCENARIOS[scenario], model }, { limitMs })

describe.each(['chat', 'responses', 'claude', 'ollama'])('through %s', (provider) => {
  test.each(SCENARIO_NAMES)('%s goes well', async (scenario) => {
    const model = `${provider}/any`
    const told = await run(scenario, model)
    expect(told).toMatchObject({ scenario, model, route: model, result: 'ok' })
    expect(told).not.toHaveProperty('code')
  })

  test('the image of the tool arrives with its result', async () => {
    const texts: string[] = []
    const listening: Pick<ProviderRuntime, 'run'> = {
      run: (request, emit, options) => {
        texts.push('')
        const listen = (part: StreamPart): void => {
          if (part.type === 'text') texts.push(`${texts.pop()}${part.delta}`)
          emit(part)
        }
        return runtime.run(request, listen, options)
      },
    }
    const pair = { scenario: SCENARIOS['tool-image'], model: `${provider}/any` }
    expect((await runScenario(listening, pair)).result).toBe('ok')
    expect(texts).toHaveLength(2)
    expect(texts[1]).toContain('[1 image]') // the simulated upstream tells what it was sent
  })
})

describe('where the upstream is sick', () => {
  test.each([
    ['html', 'server/html_payload'],
    ['500', 'server/server_error'],
    ['truncate:60', 'network/truncated_stream'],
    ['empty', 'server/empty_body'],
  ])('%s fails the run with its error', async (fault, code) => {
    const model = `chat/any+${fault}`
    expect(await run('text', model)).toMatchObject({ result: 'failed', code, route: model })
    expect(await run('tools', model)).toMatchObject({ result: 'failed' })
  })

  test('a stall ends at the limit of the run', async () => {
    const told = await run('text', 'chat/any+stall', 300)
    expect(told).toMatchObject({ result: 'failed', code: 'turn/deadline' })
    expect(told.durationMs).toBeLessThan(5_000)
  })

  test('a run that another route of the alias answers is well, and tells which', async () => {
    sim.control({ model: 'sick', fault: 'html' })
    expect(await run('tools', 'coder')).toMatchObject({ result: 'ok', route: 'claude/well' })
    sim.clear()
  })
})
