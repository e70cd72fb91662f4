import { join } from 'node:path'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import type { TurnTranscript } from '../../src/cli/turns/transcript.ts'
import { createSim, type Sim } from '../../src/providers/sim/sim.ts'
import type { RedisServer } from '../../src/redis/embedded.ts'
import { startAnyRedis } from '../redis-servers.ts'
import { folderWith, type RunningCli, runCli, startCli } from './run-cli.ts'

let server: RedisServer
let sim: Sim
let folder: ReturnType<typeof folderWith>
let worker: RunningCli

beforeAll(async () => {
  server = await startAnyRedis()
  sim = await createSim()
  folder = folderWith({
    'turnkeeper.config.yaml': `
redis: { url: "${server.url}", durability: none }
metrics: { port: 0 }
providers: { sim: { protocol: openai-chat, baseUrl: "${sim.url}/v1" } }
models: { coder: { routes: [sim/first, sim/second] } }
routing: { retries: 0 }
breakers: { html: { over: 0 } }
agents: ./agents.mjs
`,
    'agents.mjs': `
import { defineAgent } from ${JSON.stringify(join(process.cwd(), 'src/runtime/agent.ts'))}
import { defineTool } from ${JSON.stringify(join(process.cwd(), 'src/runtime/tools/tool.ts'))}
const shout = defineTool({
  name: 'shout', description: 'Shouts a text.', effect: 'pure',
  inputSchema: { type: 'object', properties: { text: { type: 'string' } }, required: ['text'] },
  execute: async ({ text }) => text.toUpperCase(),
})
export default [
  defineAgent({ name: 'assistant', model: 'coder', tools: [shout] }),
  defineAgent({ name: 'planner', model: 'sim/good', tools: [shout], plan: { turnLimit: 1 } }),
]
`,
  })
  worker = startCli(['worker', '--json'], { cwd: folder.path })
  await vi.waitFor(() => expect(worker.out()).toMatch(/\n$/), { timeout: 25_000 })
})
afterAll(async () => {
  worker.signal('SIGTERM')
  await worker.ended
  folder[Symbol.dispose]()
  await sim.close()
  await server.close()
})

const cli = (...args: string[]) => runCli(args, { cwd: folder.path })

async function runTurn(...flags: string[]): Promise<string> {
  return runTurnOf('assistant', ...flags)
}

async function runTurnOf(agent: string, ...flags: string[]): Promise<string> {
  const turn = await cli('enqueue', agent, '--input', 'Say "Hello there."', '--watch', '--json', ...flags)
  return String(turn.json().id)
}

test('a transcript shows the policy, the fallback and the open circuit of its turn, in Markdown and JSON', async () => {
  sim.control({ model: 'first', fault: 'html' })
  const id = await runTurn()
  sim.clear()
  await expect.poll(async () => (await cli('routes')).out, { timeout: 10_000 }).toMatch(/sim\/first +open/)

  const { status, out } = await cli('turns', 'show', id, '--transcript')
  expect(status).toBe(0)
  const order = [
    `# Turn ${id}`,
    '> Say "Hello there."',
    'started by ',
    '## m1: model coder',
    'fallback: sim/first → sim/second (html payload)',
    '- attempt: sim/first server/html_payload after ',
    'not streamed; policy tool turn; record ',
    '- decision: reroute sim/first → sim/second (html payload)',
    '- attempt: sim/second ok after ',
    'm1 completed',
  ]
  const places = order.map((words) => out.indexOf(words))
  expect(places, out).not.toContain(-1)
  expect(places).toEqual(places.toSorted((a, b) => a - b))
  expect(out).toMatch(/^- [\d:.]+ circuit: sim\/first \w+ → open \(html\)$/m)

  const { turn, entries } = (
    await cli('turns', 'show', id, '--transcript', '--json')
  ).json() as TurnTranscript
  expect(turn).toMatchObject({ id, state: 'completed' })
  expect(entries).toContainEqual(
    expect.objectContaining({
      type: 'decision',
      stepId: 'm1',
      decision: expect.objectContaining({ type: 'reroute', from: 'sim/first', to: 'sim/second' }),
    }),
  )
  expect(entries).toContainEqual(
    expect.objectContaining({ type: 'circuit', route: 'sim/first', to: 'open', reason: 'html' }),
  )
}, 40_000)

test('a turn that failed is told with what was tried', async () => {
  const failed = await cli('turns', 'show', await runTurn('--model', 'sim/first+400'), '--transcript')
  expect(failed.out).toMatch(/- attempt: sim\/first\+400 bad_request\/\w+ after /)
  expect(failed.out).toMatch(/- [\d:.]+ failed: bad_request\//)
}, 40_000)

test('a turn that planned shows when it began to act', async () => {
  const { out } = await cli('turns', 'show', await runTurnOf('planner'), '--transcript')
  expect(out).toMatch(
    /m1: model sim\/good.*- decision: plan sim\/good \(round 1 of at most 1\)\n- attempt.*m2: model sim\/good.*- decision: act sim\/good \(plan made\)\n- attempt/s,
  )
}, 40_000)

test('what is no turn is said', async () => {
  const { status, err } = await cli('turns', 'show', 't-0000000000000000~nobody', '--transcript')
  expect(status).toBe(1)
  expect(err).toContain('no turn t-0000000000000000~nobody is kept')
})
