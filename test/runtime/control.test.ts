import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { z } from 'zod'
import type { TurnEvent } from '../../src/queue/types.ts'
import type { RedisServer } from '../../src/redis/embedded.ts'
import { type Agent, defineAgent } from '../../src/runtime/agent.ts'
import { defineTool, type ToolDefinition } from '../../src/runtime/tools/tool.ts'
import { startAnyRedis } from '../redis-servers.ts'
import { openScriptedWorker, type Scripted, type ScriptedWorker, scriptedModel } from './scripted-worker.ts'

let server: RedisServer
const open: ScriptedWorker[] = []
let paid: string[] = []

beforeAll(async () => {
  server = await startAnyRedis()
})
afterAll(() => server.close())
afterEach(async () => {
  paid = []
  for (const worker of open.splice(0)) await worker.close()
})

const pay = (more: Partial<ToolDefinition<{ amount: number }>> = {}) =>
  defineTool({
    name: 'pay',
    description: 'Pays an amount.',
    inputSchema: z.object({ amount: z.number() }),
    execute: ({ amount }) => {
      paid.push(`${amount}`)
      return `paid ${amount}`
    },
    ...more,
  })
const agentWith = (...tools: ReturnType<typeof pay>[]): Agent =>
  defineAgent({ name: 'a', model: 'coder', tools })
const call = (amount: number, id = `c${amount}`) => ({ id, name: 'pay', input: { amount } })

async function worker(agent: Agent, ...script: Scripted[]) {
  const model = scriptedModel(...script)
  const opened = await openScriptedWorker(server.url, [agent], model.call)
  open.push(opened)
  return { ...opened, requests: model.requests }
}

/** The first event of a type; the turn need not have ended. */
async function eventOf<T extends TurnEvent['type']>(events: AsyncIterable<TurnEvent>, type: T) {
  for await (const event of events) if (event.type === type) return event as Extract<TurnEvent, { type: T }>
  throw new Error(`no ${type} came`)
}

/** A worker that dies while its tool is running: the step is begun, and never committed. */
async function loseWorkerInTool(agent: Agent): Promise<{ turnId: string; client: ScriptedWorker['client'] }> {
  const first = await worker(agent, { calls: [call(5)] })
  const turn = await first.client.enqueue('a', { input: 'pay' })
  const { commit } = first.backend.journal
  first.backend.journal.commit = (claim, step) => {
    if (step.stepId.includes('.')) throw new Error('the worker dies before it can commit')
    return commit(claim, step)
  }
  await expect(first.wake(turn.id)).rejects.toThrow('dies before')
  return { turnId: turn.id, client: first.client }
}

test('a queued turn is cancelled at once, and its session goes on', async () => {
  const { client, wake } = await worker(agentWith(pay()), { text: 'second' })
  const first = await client.enqueue('a', { input: '1', sessionId: 'cancel-queued' })
  const second = await client.enqueue('a', { input: '2', sessionId: 'cancel-queued' })
  await first.cancel('not needed')
  expect(await first.result()).toMatchObject({
    status: 'cancelled',
    error: { code: 'turn/cancelled', message: 'not needed' },
  })
  expect(await eventOf(first, 'turn.cancelled')).toMatchObject({ reason: 'not needed' })
  await wake(second.id)
  expect((await second.result()).text).toBe('second')
  await first.cancel('again') // stays as it is
  expect((await first.result()).error?.message).toBe('not needed')
})

test('a running turn is cancelled from another process: its tool gets the signal', async () => {
  const seen = Promise.withResolvers<unknown>()
  const started = Promise.withResolvers<void>()
  const slow = pay({
    effect: 'pure',
    execute: (_input, { signal }) =>
      new Promise((_resolve, reject) => {
        started.resolve()
        signal.addEventListener('abort', () => {
          seen.resolve(signal.reason)
          reject(signal.reason)
        })
      }),
  })
  const { client, wake, leases } = await worker(agentWith(slow), { calls: [call(1)] })
  const turn = await client.enqueue('a', { input: 'x' })
  const running = wake(turn.id)
  await started.promise
  await turn.cancel('changed my mind')
  // The message to the worker is heard by `createWorker`; here the lease hears of it by hand.
  leases.get(turn.id)?.cancel('changed my mind')
  await running
  expect(await seen.promise).toMatchObject({ code: 'turn/cancelled' })
  expect(await turn.result()).toMatchObject({ status: 'cancelled', error: { message: 'changed my mind' } })
})

test('a turn whose cancellation its worker did not live to see is cancelled by the next one, before it does anything', async () => {
  const { client, wake } = await worker(
    agentWith(pay()),
    async () => {
      await turn.cancel('not needed')
      throw new Error('the worker dies')
    },
    { calls: [call(5)] },
  )
  const turn = await client.enqueue('a', { input: 'x' })
  await expect(wake(turn.id)).rejects.toThrow('dies')
  await wake(turn.id)
  expect(await turn.result()).toMatchObject({ status: 'cancelled', error: { message: 'not needed' } })
  expect(paid).toEqual([])
})

test('a cancelled turn shows that the outcome of a started unsafe tool is unknown', async () => {
  const started = Promise.withResolvers<void>()
  const stuck = pay({
    execute: () => {
      started.resolve()
      return new Promise(() => {})
    },
  })
  const { client, wake, leases } = await worker(agentWith(stuck), { calls: [call(1)] })
  const turn = await client.enqueue('a', { input: 'x' })
  const running = wake(turn.id)
  await started.promise
  leases.get(turn.id)?.cancel('stop')
  await running
  expect(await turn.result()).toMatchObject({
    status: 'cancelled',
    steps: [{ id: 'm1' }, { id: 'm1.1', error: 'cancelled_unknown' }],
  })
})

test('a call that needs an approval leaves the worker free, and runs after it', async () => {
  const { client, wake } = await worker(
    agentWith(pay({ needsApproval: ({ amount }) => amount > 100 })),
    { calls: [call(500), call(7)] },
    { text: 'done' },
  )
  const turn = await client.enqueue('a', { input: 'pay' })
  await wake(turn.id)
  expect(paid).toEqual(['7'])
  expect((await turn.read()).state).toBe('waiting_approval')
  const asked = await eventOf(turn, 'approval.requested')
  expect(asked).toMatchObject({ callId: 'c500', name: 'pay', input: { amount: 500 } })
  expect(asked.expiresAt - asked.at).toBeGreaterThan(23 * 3_600_000)

  await client.approve(turn.id, 'c500', { by: 'ada' })
  await wake(turn.id, 'after the approval')
  expect(paid).toEqual(['7', '500'])
  expect(await turn.result()).toMatchObject({ status: 'completed', text: 'done' })
  expect(await eventOf(turn, 'approval.decided')).toMatchObject({
    callId: 'c500',
    decision: 'approve',
    by: 'ada',
  })
})

test('a rejected call is not run, and the model is told who said no and why', async () => {
  const { client, wake, requests } = await worker(
    agentWith(pay({ needsApproval: true })),
    { calls: [call(9)] },
    { text: 'understood' },
  )
  const turn = await client.enqueue('a', { input: 'pay' })
  await wake(turn.id)
  await client.reject(turn.id, 'c9', { by: 'bob', reason: 'too much' })
  await wake(turn.id, 'again')
  expect(paid).toEqual([])
  expect(requests[1]?.messages.at(-1)).toMatchObject({
    isError: true,
    content: expect.stringMatching(/bob rejected it: too much/),
  })
})

test('a decision whose command comes again after a lost reply is the same decision (C2, J10)', async () => {
  const { backend, client, wake } = await worker(
    agentWith(pay({ needsApproval: true })),
    { calls: [call(1), call(2)] },
    { text: 'done' },
  )
  const turn = await client.enqueue('a', { input: 'pay' })
  await wake(turn.id)
  const { evalsha } = backend.redis
  const twice = async (...command: Parameters<typeof evalsha>) => {
    await evalsha.apply(backend.redis, command)
    return evalsha.apply(backend.redis, command)
  }
  await client.reject(turn.id, 'other', { by: 'x' }).catch(() => {}) // the script is known from now on
  backend.redis.evalsha = twice as typeof evalsha
  await client.approve(turn.id, 'c1', { by: 'ada' })
  expect((await turn.read()).state).toBe('waiting_approval')
  await client.approve(turn.id, 'c2', { by: 'ada' })
  backend.redis.evalsha = evalsha
  await expect(client.approve(turn.id, 'c2', { by: 'ada' })).rejects.toMatchObject({
    code: 'turn/not_waiting',
  })
  await wake(turn.id, 'after the approvals')
  expect(paid).toEqual(['1', '2'])
  expect((await turn.details()).audit.map(({ callId }) => callId)).toEqual(['c1', 'c2'])
})

test('a cancellation whose command comes again after a lost reply wakes what comes next (J10)', async () => {
  const { backend, client, wake } = await worker(agentWith(pay({})), { text: 'done' })
  const first = await client.enqueue('a', { input: 'one', sessionId: 's' })
  const second = await client.enqueue('a', { input: 'two', sessionId: 's' })
  await client
    .enqueue('a', { input: 'three' })
    .then((other) => other.cancel('the script is known from now on'))
  const { evalsha } = backend.redis
  const twice = async (...command: Parameters<typeof evalsha>) => {
    await evalsha.apply(backend.redis, command)
    return evalsha.apply(backend.redis, command)
  }
  const woken: string[] = []
  const wakeQueue = backend.wakeQueue as { wake: typeof backend.wakeQueue.wake }
  const wakeOf = wakeQueue.wake
  wakeQueue.wake = (turnId, options) => {
    woken.push(turnId)
    return wakeOf(turnId, options)
  }
  backend.redis.evalsha = twice as typeof evalsha
  await first.cancel('no')
  backend.redis.evalsha = evalsha
  expect(woken).toEqual([second.id])
  expect((await first.read()).state).toBe('cancelled')
  await wake(second.id)
  expect((await second.read()).state).toBe('completed')
  expect((await first.details()).audit).toHaveLength(1)
})

test('a call can be decided on whatever characters its id and the reason are made of', async () => {
  const { client, wake, requests } = await worker(
    agentWith(pay({ needsApproval: true })),
    { calls: [call(9, 'half \ud83d a character')] },
    { text: 'understood' },
  )
  const turn = await client.enqueue('a', { input: 'pay' })
  await wake(turn.id)
  const { callId } = await eventOf(turn, 'approval.requested')
  await client.reject(turn.id, callId, { by: 'bob', reason: 'no \ude00' })
  await wake(turn.id, 'again')
  expect(paid).toEqual([])
  expect(requests[1]?.messages.at(-1)).toMatchObject({
    content: expect.stringMatching(/bob rejected it: no \ufffd/),
  })
})

test('an approval that nobody gives in time counts as a rejection', async () => {
  const { client, wake } = await worker(
    agentWith(pay({ needsApproval: true, approvalTimeoutMs: 100 })),
    { calls: [call(9)] },
    { text: 'went on without' },
  )
  const turn = await client.enqueue('a', { input: 'pay' })
  await wake(turn.id)
  await new Promise((resolve) => setTimeout(resolve, 150))
  await expect(client.approve(turn.id, 'c9', { by: 'late' })).rejects.toMatchObject({
    code: 'turn/not_waiting',
  })
  await wake(turn.id, 'after the time')
  expect(paid).toEqual([])
  expect((await turn.result()).text).toBe('went on without')
})

test('decisions on calls that wait for none are refused', async () => {
  const { client, wake } = await worker(agentWith(pay({ needsApproval: true })), { calls: [call(9)] })
  const turn = await client.enqueue('a', { input: 'pay' })
  await expect(client.approve(turn.id, 'c9', { by: 'x' })).rejects.toMatchObject({ code: 'turn/not_waiting' })
  await wake(turn.id)
  await expect(client.approve(turn.id, 'other', { by: 'x' })).rejects.toMatchObject({
    code: 'turn/unknown_turn',
  })
  await expect(client.resolve(turn.id, 'c9', { done: false, by: 'x' })).rejects.toMatchObject({
    code: 'turn/not_waiting',
  })
})

test('an unsafe call whose worker was lost waits for a review, and is not run again', async () => {
  const agent = agentWith(pay())
  const { turnId, client } = await loseWorkerInTool(agent)
  const next = await worker(agent, { text: 'never asked' })
  await next.wake(turnId)
  const turn = client.turn(turnId)
  expect(await turn.result()).toMatchObject({ status: 'needs_review' })
  expect(await eventOf(turn, 'turn.needs_review')).toMatchObject({ callId: 'c5' })
  expect(paid).toEqual(['5'])
})

test('a review that says done gives the model that result, without a second run', async () => {
  const agent = agentWith(pay())
  const { turnId, client } = await loseWorkerInTool(agent)
  const next = await worker(agent, { text: 'thanks' })
  await next.wake(turnId)
  await client.resolve(turnId, 'c5', { done: true, result: 'receipt 42', by: 'ada' })
  await next.wake(turnId, 'after the review')
  expect(await client.turn(turnId).result()).toMatchObject({ status: 'completed', text: 'thanks' })
  expect(next.requests[0]?.messages.at(-1)).toMatchObject({ role: 'tool', content: 'receipt 42' })
  expect(paid).toEqual(['5'])
})

test('a review that says not done runs the call again, once', async () => {
  const agent = agentWith(pay())
  const { turnId, client } = await loseWorkerInTool(agent)
  const next = await worker(agent, { text: 'thanks' })
  await next.wake(turnId)
  await client.resolve(turnId, 'c5', { done: false, by: 'ada' })
  await next.wake(turnId, 'after the review')
  expect(await client.turn(turnId).result()).toMatchObject({ status: 'completed' })
  expect(paid).toEqual(['5', '5'])
})

test.each([
  ['done', { done: true as const, result: 'found it' }, 'found it', ['5']],
  ['not done', { done: false as const }, 'paid 5', ['5', '5']],
])(
  'a tool that can find out what became of its call needs no review: %s',
  async (_what, found, content, runs) => {
    const agent = agentWith(pay({ reconcile: () => found }))
    const { turnId, client } = await loseWorkerInTool(agent)
    const next = await worker(agent, { text: 'thanks' })
    await next.wake(turnId)
    expect(await client.turn(turnId).result()).toMatchObject({ status: 'completed' })
    expect(next.requests[0]?.messages.at(-1)).toMatchObject({ role: 'tool', content })
    expect(paid).toEqual(runs)
  },
)

test('a turn that loses five workers without a finished step is not tried a sixth time', async () => {
  const dying: Scripted = () => {
    throw new Error('the worker dies')
  }
  const { client, wake } = await worker(agentWith(pay()), dying, dying, dying, dying, dying, {
    text: 'never',
  })
  const turn = await client.enqueue('a', { input: 'x' })
  for (let i = 0; i < 5; i++) await expect(wake(turn.id)).rejects.toThrow('dies')
  await wake(turn.id)
  expect(await turn.result()).toMatchObject({ status: 'failed', error: { code: 'turn/poisoned' } })
})

test('a tool runs at most so many calls at once as it allows', async () => {
  let now = 0
  let most = 0
  const limited = pay({
    effect: 'pure',
    concurrency: 2,
    execute: async () => {
      most = Math.max(most, ++now)
      await new Promise((resolve) => setTimeout(resolve, 20))
      now--
      return 'ok'
    },
  })
  const calls = Array.from({ length: 6 }, (_, i) => call(i))
  const { client, wake } = await worker(agentWith(limited), { calls }, { text: 'done' })
  const turn = await client.enqueue('a', { input: 'x' })
  await wake(turn.id)
  expect((await turn.result()).steps).toHaveLength(8)
  expect(most).toBe(2)
})

test('a lost turn: the unsafe call that runs is waited for, the one that stood in line is never run', async () => {
  const holding = Promise.withResolvers<void>()
  const started = Promise.withResolvers<void>()
  const slowly = async ({ amount }: { amount: number }) => {
    paid.push(`${amount}`)
    started.resolve()
    await holding.promise
    return `paid ${amount}`
  }
  const model = scriptedModel({ calls: [call(1), call(2)] })
  const agent = agentWith(pay({ concurrency: 1, execute: slowly }))
  const first = await openScriptedWorker(server.url, [agent], model.call, { leaseMs: 300 })
  open.push(first)
  const turn = await first.client.enqueue('a', { input: 'pay twice' })
  const losing = first.wake(turn.id)
  await started.promise
  const next = await worker(agentWith(pay()), { text: 'thanks' })
  await next.wake(turn.id)
  expect((await turn.read()).state).toBe('needs_review')
  await new Promise((resolve) => setTimeout(resolve, 300)) // the first one hears of its loss at its next renewal
  holding.resolve()
  await losing
  expect((await turn.read()).state).toBe('queued')
  await next.wake(turn.id, 'by the reconciler')
  expect(await turn.result()).toMatchObject({ status: 'completed', text: 'thanks' })
  expect(paid).toEqual(['1', '2'])
})

test('a lost run that ends does not take a later run of the turn on the same worker out of reach', async () => {
  const called: PromiseWithResolvers<void>[] = [Promise.withResolvers(), Promise.withResolvers()]
  const lost = Promise.withResolvers<Scripted>()
  const { client, wake, stopped, leases } = await worker(
    agentWith(),
    () => {
      called[0]?.resolve()
      return lost.promise
    },
    (_request, signal) => {
      called[1]?.resolve()
      return new Promise((_resolve, reject) => {
        signal.addEventListener('abort', () => reject(signal.reason), { once: true })
      })
    },
  )
  const turn = await client.enqueue('a', { input: 'x' })
  const first = wake(turn.id)
  await called[0]?.promise
  const second = wake(turn.id) // delivered again, as after a stall
  await called[1]?.promise
  lost.resolve({ text: 'too late' })
  await first
  expect(leases.has(turn.id)).toBe(true)
  stopped.abort()
  await expect(second).rejects.toThrow('aborted')
  expect(leases.size).toBe(0)
})
