import { expect, test } from 'vitest'
import { z } from 'zod'
import { TurnkeeperError } from '../../src/errors.ts'
import { defineAgent } from '../../src/runtime/agent.ts'
import { defineTool, type ToolDefinition } from '../../src/runtime/tools/tool.ts'
import { createTestKit } from '../../src/testing/kit.ts'

const agentWith = (effect: ToolDefinition<unknown>['effect'], seen: string[]) =>
  defineAgent({
    name: 'a',
    model: 'coder',
    tools: [
      defineTool({
        name: 'note',
        description: 'Notes a word.',
        inputSchema: z.object({ word: z.string() }),
        ...(effect !== undefined && { effect }),
        execute: ({ word }, { idempotencyKey }) => {
          seen.push(`${word} ${idempotencyKey}`)
          return 'noted'
        },
      }),
    ],
  })
const script = [{ calls: [{ name: 'note', input: { word: 'x' } }] }, { text: 'All done.' }]

test('a scripted model runs an agent, and shows what it was asked', async () => {
  const seen: string[] = []
  await using kit = await createTestKit({ agents: [agentWith('pure', seen)], script })
  const turn = await kit.client.enqueue('a', { input: 'note x' })
  expect(await turn.result({ timeoutMs: 5_000 })).toMatchObject({ status: 'completed', text: 'All done.' })
  expect(seen).toHaveLength(1)
  expect(kit.requests[1]?.messages.at(-1)).toMatchObject({
    role: 'tool',
    toolCallId: 'call_1',
    content: 'noted',
  })
  expect(kit.sim).toBeUndefined()
})

test('without a script the simulated upstream answers, and can be told to misbehave', async () => {
  await using kit = await createTestKit({ agents: [agentWith('pure', [])] })
  const turn = await kit.client.enqueue('a', { input: 'say "Hello there."' })
  expect(await turn.result({ timeoutMs: 5_000 })).toMatchObject({ text: 'Hello there.' })
  kit.sim?.control({ model: '*', fault: 'html' })
  const failing = await kit.client.enqueue('a', { input: 'x' })
  expect(await failing.result({ timeoutMs: 10_000 })).toMatchObject({
    status: 'failed',
    error: { reason: 'html_payload' },
  })
})

test.each([
  ['unsafe', 'before_run', 'needs_review', 0],
  ['unsafe', 'before_commit', 'needs_review', 1],
  ['unsafe', 'after_commit', 'completed', 1],
  ['idempotent', 'before_commit', 'completed', 2],
] as const)(
  'an %s tool whose worker is lost %s: %s, having run %i times',
  async (effect, when, status, runs) => {
    const seen: string[] = []
    await using kit = await createTestKit({ agents: [agentWith(effect, seen)], script })
    kit.loseWorker({ step: 'm1.1', when })
    const turn = await kit.client.enqueue('a', { input: 'x' })
    expect(await turn.result({ timeoutMs: 10_000 })).toMatchObject({ status })
    expect(seen).toHaveLength(runs)
    expect(new Set(seen).size).toBe(Math.min(runs, 1))
    expect((await turn.read()).epoch).toBe(2)
  },
)

test.each([
  ['before_run', 2],
  ['before_commit', 2],
  ['after_commit', 1],
] as const)(
  'a turn whose worker is lost at its only answer, %s, completes with %i claims',
  async (when, claims) => {
    await using kit = await createTestKit({
      agents: [agentWith('pure', [])],
      script: [{ text: 'ok' }, { text: 'ok' }],
    })
    kit.loseWorker({ step: 'm1', when })
    const turn = await kit.client.enqueue('a', { input: 'x' })
    expect(await turn.result({ timeoutMs: 10_000 })).toMatchObject({ status: 'completed', text: 'ok' })
    expect((await turn.read()).epoch).toBe(claims)
  },
)

test('a model that fails as scripted fails the turn, which can be retried', async () => {
  const fails = new TurnkeeperError('server_error', 'down')
  await using kit = await createTestKit({
    agents: [agentWith('pure', [])],
    script: [{ fails }, { text: 'ok' }],
  })
  const turn = await kit.client.enqueue('a', { input: 'x' })
  expect(await turn.result()).toMatchObject({ status: 'failed', error: { code: 'server/server_error' } })
  expect(await (await turn.retry()).result({ timeoutMs: 5_000 })).toMatchObject({ text: 'ok' })
})

test('two kits in one process know nothing of each other', async () => {
  const agents = [agentWith('pure', [])]
  await using one = await createTestKit({ agents, script: [{ text: 'one' }] })
  await using two = await createTestKit({ agents, script: [{ text: 'two' }] })
  const turns = [await one.client.enqueue('a', { input: 'x' }), await two.client.enqueue('a', { input: 'x' })]
  const results = await Promise.all(turns.map((turn) => turn.result({ timeoutMs: 5_000 })))
  expect(results.map(({ text }) => text)).toEqual(['one', 'two'])
})
