import { afterAll, beforeAll, expect, test } from 'vitest'
import { z } from 'zod'
import type { RedisServer } from '../../src/redis/embedded.ts'
import { defineAgent } from '../../src/runtime/agent.ts'
import { defineTool } from '../../src/runtime/tools/tool.ts'
import { startAnyRedis } from '../redis-servers.ts'
import { openScriptedWorker, type ScriptedWorker, scriptedModel } from '../runtime/scripted-worker.ts'
import { openGateway, post, type TestGateway } from './open-gateway.ts'

let server: RedisServer
let opened: TestGateway
const workers: ScriptedWorker[] = []
const agent = defineAgent({
  name: 'a',
  model: 'coder',
  tools: [
    defineTool({
      name: 'pay',
      description: 'Pays.',
      inputSchema: z.object({}),
      needsApproval: true,
      execute: () => 'paid',
    }),
  ],
})

beforeAll(async () => {
  server = await startAnyRedis()
  opened = await openGateway(server.url, 'decide')
})
afterAll(async () => {
  await opened.gateway.close()
  for (const worker of workers) await worker.close()
  await server.close()
})

const at = (id: string, what: string): string =>
  `${opened.gateway.url}/v1/turns/${encodeURIComponent(id)}/${what}`
async function waitingTurn() {
  const model = scriptedModel({ calls: [{ id: 'c1', name: 'pay', input: {} }] }, { text: 'done' })
  const worker = await openScriptedWorker(server.url, [agent], model.call, { prefix: 'decide' })
  workers.push(worker)
  const turn = await worker.client.enqueue('a', { input: 'x' })
  await worker.wake(turn.id)
  return { turn, wake: worker.wake }
}

test('an approval over HTTP lets the call run, once; the record shows who decided', async () => {
  const { turn, wake } = await waitingTurn()
  const waiting = await fetch(at(turn.id, '').slice(0, -1))
  expect(await waiting.json()).toMatchObject({
    state: 'waiting_approval',
    waitsFor: [{ kind: 'approval', callId: 'c1', expiresAt: expect.any(Number) }],
  })
  const url = at(turn.id, 'approvals/c1')
  expect(await post(url, { decision: 'approve' })).toMatchObject({
    status: 200,
    body: { id: turn.id, status: 'queued' },
  })
  expect(await post(url, { decision: 'reject' })).toMatchObject({
    status: 409,
    body: { error: { code: 'turn/not_waiting', retryable: false } },
  })
  await wake(turn.id, 'again')
  expect((await turn.result()).text).toBe('done')
  expect((await turn.details()).audit).toMatchObject([{ action: 'approve', by: 'http' }])
})

test('a review that nobody waits for, and a call or turn that is not there, say so', async () => {
  const { turn } = await waitingTurn()
  expect((await post(at(turn.id, 'reviews/c1'), { done: false })).status).toBe(409)
  expect((await post(at(turn.id, 'approvals/c9'), { decision: 'approve' })).status).toBe(404)
  expect((await post(at('t-0000000000000000~s', 'approvals/c1'), { decision: 'approve' })).status).toBe(404)
  expect((await post(at('t-0000000000000000~s', 'cancel'), {})).status).toBe(404)
})

test('a cancel over HTTP ends a turn that nobody runs', async () => {
  const { turn } = await waitingTurn()
  expect(await post(at(turn.id, 'cancel'), { reason: 'enough' })).toMatchObject({
    status: 200,
    body: { status: 'cancelled' },
  })
  expect((await turn.result()).error?.message).toBe('enough')
})

test.each([
  ['approvals/c1', { decision: 'maybe' }, /decision/],
  ['approvals/c1', { decision: 'approve', by: 'me' }, /by/],
  ['reviews/c1', {}, /done/],
  ['reviews/c1', { done: false, result: 1 }, /result/],
  ['cancel', { why: 'x' }, /why/],
  ['cancel', [], /body/],
])('%s refuses the body %j', async (what, body, words) => {
  const answer = await post(at('t-0000000000000000~s', what), body)
  expect(answer).toMatchObject({ status: 400, body: { error: { code: 'turn/invalid_input' } } })
  expect((answer.body.error as { message: string }).message).toMatch(words)
})
