import { userInfo } from 'node:os'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { z } from 'zod'
import { TurnkeeperError } from '../../src/errors.ts'
import type { RedisServer } from '../../src/redis/embedded.ts'
import { defineAgent } from '../../src/runtime/agent.ts'
import { defineTool } from '../../src/runtime/tools/tool.ts'
import { startAnyRedis } from '../redis-servers.ts'
import {
  openScriptedWorker,
  type Scripted,
  type ScriptedWorker,
  scriptedModel,
} from '../runtime/scripted-worker.ts'
import { runCli } from './run-cli.ts'

let server: RedisServer
let env: Record<string, string>
let paid: number[] = []
const open: ScriptedWorker[] = []
const agent = defineAgent({
  name: 'a',
  model: 'coder',
  tools: [
    defineTool({
      name: 'pay',
      description: 'Pays an amount.',
      inputSchema: z.object({ amount: z.number() }),
      needsApproval: ({ amount }) => amount > 100,
      execute: ({ amount }) => {
        paid.push(amount)
        return 'paid'
      },
    }),
  ],
})

beforeAll(async () => {
  server = await startAnyRedis()
  env = { REDIS_URL: server.url }
})
afterAll(async () => {
  for (const worker of open) await worker.close()
  await server.close()
})

const run = (...args: string[]) => runCli(['turns', ...args], { env })
async function worker(...script: Scripted[]): Promise<ScriptedWorker> {
  paid = []
  const opened = await openScriptedWorker(server.url, [agent], scriptedModel(...script).call, {
    prefix: 'turnkeeper',
  })
  open.push(opened)
  return opened
}
const pay = (amount: number) => ({ calls: [{ id: `c${amount}`, name: 'pay', input: { amount } }] })

test('show tells what a turn waits for and the command that decides, which then does', async () => {
  const { client, wake } = await worker(pay(500), { text: 'done' })
  const turn = await client.enqueue('a', { input: 'x' })
  await wake(turn.id)
  const { out } = await run('show', turn.id)
  expect(out).toMatch(
    /waits for an approval of call c500: pay \{"amount":500\} \(rejected by itself at \d{4}-/,
  )
  expect(out).toContain(`turnkeeper turns approve ${turn.id} c500\n`)
  expect(out).toContain(`turnkeeper turns reject ${turn.id} c500 --reason`)

  const approved = await run('approve', turn.id, 'c500', '--json')
  expect(approved).toMatchObject({ status: 0 })
  expect(approved.json()).toEqual({ id: turn.id, status: 'queued' })
  await wake(turn.id, 'again')
  expect(paid).toEqual([500])
  const shown = (await run('show', turn.id, '--json')).json()
  expect(shown).toMatchObject({
    state: 'completed',
    waitsFor: [],
    audit: [{ action: 'approve', by: userInfo().username, callId: 'c500' }],
  })
})

test('reject tells the model why, and shows who said so', async () => {
  const { client, wake } = await worker(pay(501), { text: 'understood' })
  const turn = await client.enqueue('a', { input: 'x' })
  await wake(turn.id)
  expect(await run('reject', turn.id, 'c501', '--by', 'ada', '--reason', 'too much')).toMatchObject({
    status: 0,
  })
  await wake(turn.id, 'again')
  expect(paid).toEqual([])
  expect((await run('show', turn.id)).out).toMatch(/^\S+Z +reject by ada +c501 +too much$/m)
})

test('resolve ends a review with the result that is given', async () => {
  const { client, wake, backend } = await worker(pay(7), { text: 'thanks' })
  const turn = await client.enqueue('a', { input: 'x' })
  const { commit } = backend.journal
  backend.journal.commit = () => {
    throw new Error('dies')
  }
  await expect(wake(turn.id)).rejects.toThrow('dies')
  backend.journal.commit = commit
  await worker(pay(7)).then((other) => {
    const { commit: write } = other.backend.journal
    other.backend.journal.commit = (claim, step) => {
      if (step.stepId === 'm1.1') throw new Error('dies')
      return write(claim, step)
    }
    return expect(other.wake(turn.id)).rejects.toThrow('dies')
  })
  await wake(turn.id)
  const { out } = await run('show', turn.id)
  expect(out).toMatch(/needs a review of call c7: whether pay \{"amount":7\} has taken effect is unknown/)
  expect(out).toContain(`turnkeeper turns resolve ${turn.id} c7 --not-done`)
  const resolved = await run('resolve', turn.id, 'c7', '--done', '--result', '"receipt 9"')
  expect(resolved).toMatchObject({ status: 0, out: 'queued\n' })
  await wake(turn.id, 'again')
  expect(paid).toEqual([7])
  expect((await turn.details()).audit).toMatchObject([{ action: 'resolve', done: true }])
})

test('cancel ends a queued turn, and says when it came too late', async () => {
  const { client } = await worker()
  const turn = await client.enqueue('a', { input: 'x' })
  const cancelled = await run('cancel', turn.id, '--reason', 'asked twice', '--by', 'ada')
  expect(cancelled).toMatchObject({ status: 0, out: 'cancelled\n' })
  expect((await turn.result()).error?.message).toBe('asked twice')
  expect(await run('cancel', turn.id)).toMatchObject({ status: 0 })
  const { client: other, wake } = await worker({ text: 'done' })
  const ended = await other.enqueue('a', { input: 'x' })
  await wake(ended.id)
  expect(await run('cancel', ended.id)).toMatchObject({ status: 1, out: 'completed\n' })
})

test('retry prints the new turn, and both turns show each other', async () => {
  const { client, wake } = await worker(
    { fails: new TurnkeeperError('server_error', 'down') },
    { text: 'ok' },
  )
  const turn = await client.enqueue('a', { input: 'x', sessionId: 'retried' })
  await wake(turn.id)
  const { status, out } = await run('retry', turn.id, '--by', 'ada')
  expect(status).toBe(0)
  const id = out.trim()
  expect(id).toMatch(/^t-[0-9a-f]+~retried$/)
  await wake(id)
  expect((await run('show', id)).out).toMatch(new RegExp(`^retry of +${turn.id}$`, 'm'))
  expect((await run('show', turn.id)).out).toMatch(new RegExp(`^retried as +${id}$`, 'm'))
  const listed = await run('list', '--session', 'retried', '--status', 'failed', '--json')
  expect(listed.json()).toMatchObject({ turns: [{ id: turn.id }], cursor: null })
  const again = await run('retry', id, '--json')
  expect(again.status).toBe(1)
  expect(again.json()).toMatchObject({ error: { code: 'turn/not_failed' } })
})

test.each([
  [['resolve', 't-0000000000000000~s', 'c1'], 2, /either --done or --not-done/],
  [['resolve', 't-0000000000000000~s', 'c1', '--not-done', '--result', '1'], 2, /--result goes with --done/],
  [['resolve', 't-0000000000000000~s', 'c1', '--done', '--result', 'sent'], 2, /Expected JSON/],
  [['approve', 't-0000000000000000~s', 'c1'], 1, /waits for a decision/],
  [['list', '--status', 'broken'], 2, /status: expected one of queued, running/],
])('%j ends with status %i and says what was expected', async (args, status, words) => {
  const ended = await run(...args)
  expect(ended.err).toMatch(words)
  expect(ended.status).toBe(status)
})
