import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { z } from 'zod'
import type { ModelRequest } from '../../src/providers/types.ts'
import type { TurnClient } from '../../src/queue/client/client.ts'
import type { TurnResult } from '../../src/queue/types.ts'
import type { RedisServer } from '../../src/redis/embedded.ts'
import { defineAgent } from '../../src/runtime/agent.ts'
import { defineTool } from '../../src/runtime/tools/tool.ts'
import { startAnyRedis } from '../redis-servers.ts'
import { openScriptedWorker, type Scripted, type ScriptedWorker, scriptedModel } from './scripted-worker.ts'

let server: RedisServer
let prefix = 0
const open: ScriptedWorker[] = []
const ran: string[] = []

const tool = (name: string, effect: 'pure' | 'unsafe') =>
  defineTool({
    name,
    description: name,
    inputSchema: z.object({}),
    effect,
    execute: async () => {
      ran.push(name)
      return 'done'
    },
  })
const agent = defineAgent({
  name: 'a',
  model: 'coder',
  instructions: 'Be brief.',
  tools: [tool('look', 'pure'), tool('write', 'unsafe')],
  plan: { turnLimit: 2 },
})
const look: Scripted = { calls: [{ name: 'look', input: {} }] }
const write: Scripted = { calls: [{ name: 'write', input: {} }] }

beforeAll(async () => {
  server = await startAnyRedis()
})
afterAll(() => server.close())
afterEach(async () => {
  ran.length = 0
  for (const worker of open.splice(0)) await worker.close()
})

async function worker(...script: Scripted[]) {
  const model = scriptedModel(...script)
  const opened = await openScriptedWorker(server.url, [agent], model.call, { prefix: `plan${++prefix}` })
  open.push(opened)
  return { ...opened, requests: model.requests }
}

async function run(client: TurnClient, wake: (id: string) => Promise<void>): Promise<TurnResult> {
  const turn = await client.enqueue('a', { input: 'tidy up' })
  await wake(turn.id)
  return turn.result()
}

const toolsOf = ({ tools = [] }: ModelRequest): readonly string[] => tools.map(({ name }) => name)
const decisionsOf = ({ steps }: TurnResult) =>
  steps
    .filter(({ kind }) => kind === 'model')
    .map(({ decisions = [] }) => decisions.map(({ type, reason }) => `${type}: ${reason}`))

test('a turn plans with its pure tools until it answers with a plan, then carries it out', async () => {
  const { client, wake, requests } = await worker(look, { text: 'I shall write.' }, write, {
    text: 'Written.',
  })
  const result = await run(client, wake)
  expect(result).toMatchObject({ status: 'completed', text: 'Written.' })
  expect(ran).toEqual(['look', 'write'])
  expect(requests.map(toolsOf)).toEqual([['look'], ['look'], ['look', 'write'], ['look', 'write']])
  expect(requests[0]?.messages[0]).toMatchObject({
    role: 'system',
    content: expect.stringMatching(/^Be brief\.\n\nYou are in plan mode/),
  })
  expect(requests[2]?.messages[0]).toEqual({ role: 'system', content: 'Be brief.' })
  expect(requests[2]?.messages.slice(-2)).toMatchObject([
    { role: 'assistant', content: 'I shall write.' },
    { role: 'user', content: 'Carry out your plan now. You have all your tools.' },
  ])
  expect(decisionsOf(result)).toEqual([
    ['plan: round 1 of at most 2'],
    ['plan: round 2 of at most 2'],
    ['act: plan_made'],
    [],
  ])
})

test('planning ends by itself at its limit', async () => {
  const { client, wake, requests } = await worker(look, look, write, { text: 'Done.' })
  const result = await run(client, wake)
  expect(result).toMatchObject({ status: 'completed', text: 'Done.' })
  expect(ran).toEqual(['look', 'look', 'write'])
  expect(requests[2]?.messages.at(-1)).toMatchObject({
    role: 'user',
    content: expect.stringContaining('The time for planning is over'),
  })
  expect(decisionsOf(result)[2]).toEqual(['act: plan_turn_limit'])
})

test('a tool that acts does not run while planning: the model is told which it has', async () => {
  const { client, wake, requests } = await worker(write, { text: 'A plan.' }, { text: 'Done.' })
  expect((await run(client, wake)).status).toBe('completed')
  expect(ran).toEqual([])
  expect(JSON.stringify(requests[1]?.messages.at(-1))).toContain('the tools are: look')
})

test('a worker that takes over in mid-plan goes on in the same mode', async () => {
  const {
    client,
    wake,
    leaving,
    backend: _backend,
  } = await worker(look, (): Scripted => {
    leaving.abort()
    return look
  })
  const turn = await client.enqueue('a', { input: 'tidy up' })
  await wake(turn.id)
  const second = scriptedModel(write, { text: 'Done.' })
  const other = await openScriptedWorker(server.url, [agent], second.call, {
    name: 'w2',
    prefix: `plan${prefix}`,
  })
  open.push(other)
  await other.wake(turn.id, 'job2')
  const result = await turn.result()
  expect(result).toMatchObject({ status: 'completed', text: 'Done.' })
  expect(toolsOf(second.requests[0]!)).toEqual(['look', 'write'])
  expect(decisionsOf(result)).toEqual([
    ['plan: round 1 of at most 2'],
    ['plan: round 2 of at most 2'],
    ['act: plan_turn_limit'],
    [],
  ])
})

test.each([0, 1.5, 3])('a limit of %s rounds of three steps is refused', (turnLimit) => {
  expect(() => defineAgent({ name: 'a', model: 'm', maxSteps: 3, plan: { turnLimit } })).toThrow(
    /agent a: expected plan\.turnLimit to be a whole number from 1 to 2 \(maxSteps - 1\), got/,
  )
})
