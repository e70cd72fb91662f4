import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { z } from 'zod'
import { TurnkeeperError } from '../../src/errors.ts'
import type { TurnEvent } from '../../src/queue/types.ts'
import type { RedisServer } from '../../src/redis/embedded.ts'
import { type Agent, defineAgent } from '../../src/runtime/agent.ts'
import { defineTool } from '../../src/runtime/tools/tool.ts'
import { startAnyRedis } from '../redis-servers.ts'
import { openScriptedWorker, type Scripted, type ScriptedWorker, scriptedModel } from './scripted-worker.ts'

let server: RedisServer
const open: ScriptedWorker[] = []
let runs: string[] = []

const weather = defineTool({
  name: 'weather',
  description: 'Tells the weather of a city.',
  inputSchema: z.object({ city: z.string() }),
  effect: 'pure',
  execute: async ({ city }, { idempotencyKey }) => {
    runs.push(`${city} ${idempotencyKey.split(':').at(-1)}`)
    if (city === 'Atlantis') throw new Error('no such city')
    return { city, degrees: 21 }
  },
})
const agent = defineAgent({
  name: 'a',
  model: 'coder',
  instructions: 'Be brief.',
  tools: [weather],
  maxSteps: 3,
})
const call = (id: string, city: unknown) => ({ id, name: 'weather', input: { city } })

beforeAll(async () => {
  server = await startAnyRedis()
})
afterAll(() => server.close())
afterEach(async () => {
  runs = []
  for (const worker of open.splice(0)) await worker.close()
})

async function worker(agents: readonly Agent[], ...script: Scripted[]) {
  const model = scriptedModel(...script)
  const opened = await openScriptedWorker(server.url, agents, model.call)
  open.push(opened)
  return { ...opened, requests: model.requests }
}

async function eventsOf(events: AsyncIterable<TurnEvent>): Promise<TurnEvent[]> {
  const seen: TurnEvent[] = []
  for await (const event of events) seen.push(event)
  return seen
}

const textOf = (events: readonly TurnEvent[]): string =>
  events.map((event) => (event.type === 'text.delta' ? event.delta : '')).join('')

test('a turn without tools is one step, and its events tell the whole story', async () => {
  const { client, wake, requests } = await worker([agent], { text: 'Hello there, friend.' })
  const turn = await client.enqueue('a', { input: 'hi' })
  await wake(turn.id)
  const events = await eventsOf(turn)
  expect(events.map((event) => event.type).filter((type, i, all) => type !== all[i - 1])).toEqual([
    'turn.queued',
    'turn.started',
    'step.started',
    'text.delta',
    'step.completed',
    'turn.completed',
  ])
  expect(textOf(events)).toBe('Hello there, friend.')
  expect(await turn.result()).toMatchObject({
    id: turn.id,
    status: 'completed',
    text: 'Hello there, friend.',
    finishReason: 'stop',
    routes: ['sim/m'],
    usage: { inputTokens: 10, outputTokens: 5, totalTokens: 15, cachedInputTokens: null },
    steps: [{ id: 'm1', kind: 'model', name: 'coder', route: 'sim/m' }],
  })
  expect(requests[0]?.messages).toEqual([
    { role: 'system', content: 'Be brief.' },
    { role: 'user', content: 'hi' },
  ])
  expect(requests[0]?.tools?.[0]).toMatchObject({ name: 'weather', inputSchema: { type: 'object' } })
})

test('parallel tool calls are steps of their own, and their results go back to the model', async () => {
  const { client, wake, requests } = await worker(
    [agent],
    { calls: [call('c1', 'Rome'), call('c2', 'Oslo')] },
    { text: 'Both 21.' },
  )
  const turn = await client.enqueue('a', { input: 'weather?' })
  await wake(turn.id)
  expect(await turn.result()).toMatchObject({ text: 'Both 21.', usage: { inputTokens: 20 } })
  expect(runs.sort()).toEqual(['Oslo m1.2', 'Rome m1.1'])
  expect(requests[1]?.messages.slice(2)).toEqual([
    { role: 'assistant', content: '', toolCalls: [call('c1', 'Rome'), call('c2', 'Oslo')] },
    { role: 'tool', toolCallId: 'c1', name: 'weather', content: '{"city":"Rome","degrees":21}' },
    { role: 'tool', toolCallId: 'c2', name: 'weather', content: '{"city":"Oslo","degrees":21}' },
  ])
})

test.each([
  ['a tool that throws', call('c', 'Atlantis'), 'Error: weather failed: no such city', 'tool/tool_failed'],
  [
    'input that does not fit',
    call('c', 7),
    /^Error: the input does not fit weather: city: /,
    'tool/tool_failed',
  ],
  [
    'a tool that is not there',
    { id: 'c', name: 'pay', input: {} },
    /no tool named pay; the tools are: weather/,
    'tool/tool_failed',
  ],
])('%s is told to the model, and the turn goes on', async (_what, toolCall, told, code) => {
  const { client, wake, requests } = await worker([agent], { calls: [toolCall] }, { text: 'sorry' })
  const turn = await client.enqueue('a', { input: 'x' })
  await wake(turn.id)
  const result = await turn.result()
  expect(result).toMatchObject({ status: 'completed', text: 'sorry', steps: [{}, { error: code }, {}] })
  expect(requests[1]?.messages.at(-1)).toMatchObject({
    role: 'tool',
    isError: true,
    content: expect.stringMatching(told),
  })
})

test('a tool that hangs is given up after its time-out', async () => {
  const slow = defineTool({
    name: 'slow',
    description: '',
    inputSchema: { type: 'object' },
    effect: 'pure',
    timeoutMs: 50,
    execute: () => new Promise(() => {}),
  })
  const slowAgent = defineAgent({ name: 's', model: 'coder', tools: [slow] })
  const { client, wake } = await worker(
    [slowAgent],
    { calls: [{ id: 'c', name: 'slow', input: {} }] },
    { text: 'ok' },
  )
  const turn = await client.enqueue('s', { input: 'x' })
  await wake(turn.id)
  expect((await turn.result()).steps[1]?.error).toBe('tool/tool_timeout')
})

test('a turn that never stops asking for tools fails with max_steps', async () => {
  const { client, wake } = await worker(
    [agent],
    ...Array.from({ length: 5 }, (_, i) => ({ calls: [call(`c${i}`, 'Rome')] })),
  )
  const turn = await client.enqueue('a', { input: 'x' })
  await wake(turn.id)
  expect(await turn.result()).toMatchObject({ status: 'failed', error: { code: 'turn/max_steps' } })
  expect(runs).toHaveLength(3)
})

test('a model error fails the turn with its code, and the session forgets the turn (T3)', async () => {
  const { client, wake, requests } = await worker(
    [agent],
    { fails: new TurnkeeperError('html_payload', 'the upstream sent a page of HTML') },
    { text: 'fine' },
  )
  const first = await client.enqueue('a', { input: 'one', sessionId: 'forget' })
  const second = await client.enqueue('a', { input: 'two', sessionId: 'forget' })
  await wake(first.id)
  expect(await first.result()).toMatchObject({ status: 'failed', error: { code: 'server/html_payload' } })
  await wake(second.id)
  expect(requests[1]?.messages.map((message) => message.content)).toEqual(['Be brief.', 'two'])
})

test('the second turn of a session knows the first, tools included', async () => {
  const { client, wake, requests } = await worker(
    [agent],
    { calls: [call('c1', 'Rome')] },
    { text: '21' },
    { text: 'again 21' },
  )
  const first = await client.enqueue('a', { input: 'Rome?', sessionId: 'memory' })
  const second = await client.enqueue('a', { input: 'And again?', sessionId: 'memory' })
  await wake(second.id) // whichever turn the wake-up names, the head of the session runs
  expect(await first.result()).toMatchObject({ text: '21' })
  await wake(second.id)
  expect(await second.result()).toMatchObject({ text: 'again 21' })
  expect(requests[2]?.messages.map((message) => message.role)).toEqual([
    'system',
    'user',
    'assistant',
    'tool',
    'assistant',
    'user',
  ])
})

test('after a restart of a step a reader that discards has the final text', async () => {
  const { client, wake } = await worker([agent], { restartAfter: 'Half an ans', text: 'The whole answer.' })
  const turn = await client.enqueue('a', { input: 'x' })
  await wake(turn.id)
  let text = ''
  for await (const event of turn) {
    if (event.type === 'text.delta') text += event.delta
    if (event.type === 'step.restarted') text = ''
  }
  expect(text).toBe('The whole answer.')
  expect((await turn.result()).text).toBe('The whole answer.')
})

test('a turn taken over goes on after its last committed step and runs no finished tool again (T2)', async () => {
  const { client, wake, leaving } = await worker([agent], { calls: [call('c1', 'Rome')] }, () => {
    throw new Error('this worker dies here')
  })
  leaving.signal.throwIfAborted()
  const turn = await client.enqueue('a', { input: 'x' })
  await expect(wake(turn.id)).rejects.toThrow('dies here')
  const other = scriptedModel({ text: 'done by another' })
  const successor = await openScriptedWorker(server.url, [agent], other.call, { name: 'w2' })
  open.push(successor)
  await successor.wake(turn.id)
  expect(await turn.result()).toMatchObject({
    text: 'done by another',
    steps: [{ id: 'm1' }, { id: 'm1.1' }, { id: 'm2' }],
  })
  expect(runs).toEqual(['Rome m1.1'])
  expect(other.requests[0]?.messages.at(-1)).toMatchObject({
    role: 'tool',
    content: '{"city":"Rome","degrees":21}',
  })
  const events = await eventsOf(turn)
  expect(events.filter((event) => event.type === 'turn.started')).toMatchObject([
    { worker: 'w1', epoch: 1 },
    { worker: 'w2', epoch: 2 },
  ])
})

test('a leaving worker hands the turn back before its next step, and another one finishes it', async () => {
  const first = await worker([agent], () => {
    first.leaving.abort()
    return { calls: [call('c1', 'Rome')] }
  })
  const turn = await first.client.enqueue('a', { input: 'x' })
  await first.wake(turn.id)
  expect((await turn.read()).state).toBe('queued')
  const successor = await openScriptedWorker(server.url, [agent], scriptedModel({ text: 'done' }).call, {
    name: 'w2',
  })
  open.push(successor)
  await successor.wake(turn.id, 'another job')
  expect(await turn.result()).toMatchObject({ text: 'done' })
  expect(runs).toEqual(['Rome m1.1'])
})

test('a turn past its deadline fails and says so', async () => {
  const { client, wake } = await worker([agent], async (_request, signal) => {
    await new Promise((resolve) => signal.addEventListener('abort', resolve))
    return { text: 'too late' }
  })
  const turn = await client.enqueue('a', { input: 'x', deadlineMs: 100 })
  await wake(turn.id)
  expect(await turn.result()).toMatchObject({ status: 'failed', error: { code: 'turn/deadline' } })
})

test('a reader that comes back with lastEventId misses and repeats nothing, wherever it left (V1)', async () => {
  const { client, wake } = await worker(
    [agent],
    { calls: [call('c1', 'Rome')] },
    { text: 'The end of it all.' },
  )
  const turn = await client.enqueue('a', { input: 'x' })
  await wake(turn.id)
  const whole = await eventsOf(turn)
  for (let cut = 0; cut < whole.length; cut++) {
    const rest = await eventsOf(turn.events({ lastEventId: whole[cut]!.id }))
    expect([...whole.slice(0, cut + 1), ...rest]).toEqual(whole)
  }
})

test('events can be read to their end after their stream has expired (V2)', async () => {
  const { client, wake, backend } = await worker([agent], { text: 'Kept.' })
  const turn = await client.enqueue('a', { input: 'x' })
  await wake(turn.id)
  const [stream] = await backend.redis.keys(`*events:${turn.id.split('~')[0]}`)
  await backend.redis.del(stream as string)
  expect((await eventsOf(turn)).map((event) => event.type)).toEqual(['turn.queued', 'turn.completed'])
})
