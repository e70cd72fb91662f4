import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { z } from 'zod'
import { TurnkeeperError } from '../../src/errors.ts'
import { countTurns } from '../../src/queue/census.ts'
import type { RedisServer } from '../../src/redis/embedded.ts'
import { globalKeys } from '../../src/redis/keys.ts'
import { defineAgent } from '../../src/runtime/agent.ts'
import { defineTool } from '../../src/runtime/tools/tool.ts'
import { serverKinds, startRedis } from '../redis-servers.ts'
import {
  openScriptedWorker,
  type Scripted,
  type ScriptedWorker,
  scriptedModel,
} from '../runtime/scripted-worker.ts'

let paid: string[] = []
const pay = defineTool({
  name: 'pay',
  description: 'Pays an amount.',
  inputSchema: z.object({ amount: z.number() }),
  execute: ({ amount }, { idempotencyKey }) => {
    paid.push(`${amount} ${idempotencyKey}`)
    return `paid ${amount}`
  },
})
const agent = defineAgent({ name: 'a', model: 'coder', tools: [pay] })
const call = (amount: number) => ({ id: `c${amount}`, name: 'pay', input: { amount } })
const broken: Scripted = { fails: new TurnkeeperError('server_error', 'the upstream is down') }

describe.each(serverKinds)('on %s', (kind) => {
  let server: RedisServer
  const open: ScriptedWorker[] = []

  beforeAll(async () => {
    server = await startRedis(kind)
  })
  afterAll(() => server.close())
  afterEach(async () => {
    paid = []
    for (const worker of open.splice(0)) await worker.close()
  })
  const worker = async (prefix: string, ...script: Scripted[]) => {
    const model = scriptedModel(...script)
    const opened = await openScriptedWorker(server.url, [agent], model.call, { prefix })
    open.push(opened)
    return { ...opened, requests: model.requests }
  }

  test('J11: a retry goes on after the finished steps, and no finished tool runs again', async () => {
    const { client, wake, requests } = await worker('r1', { calls: [call(5)] }, broken, { text: 'done' })
    const turn = await client.enqueue('a', { input: 'pay', sessionId: 's', metadata: { k: 1 } })
    await wake(turn.id)
    expect((await turn.result()).status).toBe('failed')
    const before = await turn.read()

    const retry = await turn.retry({ by: 'ada', reason: 'upstream is back' })
    expect(await retry.read()).toMatchObject({
      state: 'queued',
      input: 'pay',
      sessionId: 's',
      options: { metadata: { k: 1 } },
      retryOf: turn.id,
      origin: turn.id,
    })
    await wake(retry.id, 'again')
    expect(await retry.result()).toMatchObject({ status: 'completed', text: 'done', steps: { length: 3 } })
    expect(requests).toHaveLength(3)
    expect(paid).toEqual([`5 ${turn.id}:m1.1`])
    expect(await turn.read()).toEqual({ ...before, retriedAs: retry.id })
    expect((await turn.details()).audit).toMatchObject([
      { action: 'retry', by: 'ada', reason: 'upstream is back', retriedAs: retry.id },
    ])
  })

  test('J11: a turn is retried once, and its retry may be retried with the same keys', async () => {
    const script = [broken, { calls: [call(1)] }, broken, { text: 'ok' }]
    const { client, wake } = await worker('r2', ...script)
    const turn = await client.enqueue('a', { input: 'pay' })
    await wake(turn.id)
    const second = await turn.retry()
    expect((await turn.retry()).id).toBe(second.id)
    await wake(second.id)
    const third = await second.retry()
    await wake(third.id)
    expect(await third.result()).toMatchObject({ status: 'completed', text: 'ok' })
    expect((await third.read()).origin).toBe(turn.id)
    expect(paid).toEqual([`1 ${turn.id}:m1.1`])
  })

  test('a retry that is asked for again after it has ended does not count as waiting (B1)', async () => {
    const { backend, client, wake } = await worker('r6', broken, { text: 'ok' })
    const turn = await client.enqueue('a', { input: 'x', priority: 3 })
    await wake(turn.id)
    const second = await turn.retry()
    const { open } = globalKeys('r6').tenant('default')
    expect(await backend.redis.zscore(open, second.id)).toBe('700000')
    await wake(second.id)
    expect((await second.result()).status).toBe('completed')
    expect((await turn.retry()).id).toBe(second.id)
    expect(await backend.redis.exists(open)).toBe(0)
  })

  test('J11: an unsafe start without a known outcome still goes to review in the retry', async () => {
    const dying = await worker('r3', { calls: [call(7)] })
    const turn = await dying.client.enqueue('a', { input: 'pay' })
    const { commit } = dying.backend.journal
    dying.backend.journal.commit = (claim, step) => {
      if (step.stepId.includes('.')) throw new Error('dies')
      return commit(claim, step)
    }
    await expect(dying.wake(turn.id)).rejects.toThrow('dies')
    const other = await worker('r3')
    await other.backend.redis.hset(`r3:{${turn.sessionId}}:turn:${turn.id.split('~')[0]}`, 'idleClaims', '9')
    await other.wake(turn.id)
    expect(await turn.result()).toMatchObject({ status: 'failed', error: { code: 'turn/poisoned' } })
    expect(await countTurns(other.backend)).toMatchObject({ deadLetters: 1 })
    expect((await other.client.turns({ dead: true })).turns.map(({ id }) => id)).toEqual([turn.id])

    const retry = await other.client.turn(turn.id).retry()
    expect(await countTurns(other.backend)).toMatchObject({ deadLetters: 0, open: { queued: 1 } })
    await other.wake(retry.id)
    expect((await retry.read()).state).toBe('needs_review')
    expect((await other.client.turn(retry.id).details()).waitsFor).toMatchObject([
      { kind: 'review', callId: 'c7', name: 'pay', input: { amount: 7 } },
    ])
    expect(paid).toHaveLength(1)
  })

  test('only a failed turn can be retried', async () => {
    const { backend, client, wake } = await worker('r4', { text: 'fine' })
    const turn = await client.enqueue('a', { input: 'x' })
    await expect(turn.retry()).rejects.toMatchObject({ code: 'turn/not_failed' })
    await wake(turn.id)
    await expect(turn.retry()).rejects.toMatchObject({ code: 'turn/not_failed' })
    const { open, tenant } = globalKeys('r4')
    expect(await backend.redis.exists(open, tenant('default').open)).toBe(0)
    await expect(client.turn('t-0000000000000000~nobody').retry()).rejects.toMatchObject({
      code: 'turn/unknown_turn',
    })
  })

  test('turns are listed in pages, by state, agent and session', async () => {
    const { client, wake } = await worker('r5', { text: '1' }, { text: '2' }, broken)
    const turns = []
    // The indexes are ordered by the millisecond.
    for (let i = 0; i < 7; i++) {
      turns.push(await client.enqueue('a', { input: `${i}`, sessionId: `s${i % 5}` }))
      await sleep(2)
    }
    for (const turn of turns.slice(0, 3)) {
      await wake(turn.id)
      await sleep(2)
    }
    const ids = turns.map(({ id }) => id)
    const expected = [...ids.slice(3), ids[2], ids[1], ids[0]]
    const seen: string[] = []
    let cursor: string | undefined
    do {
      const page = await client.turns({ limit: 2, ...(cursor !== undefined && { cursor }) })
      expect(page.turns.length).toBeLessThanOrEqual(2)
      seen.push(...page.turns.map(({ id }) => id))
      cursor = page.cursor
    } while (cursor !== undefined)
    expect(seen).toEqual(expected)
    const listed = async (options: Parameters<typeof client.turns>[0]) =>
      (await client.turns(options)).turns.map(({ id }) => id)
    expect(await listed({ status: 'failed' })).toEqual([ids[2]])
    expect(await listed({ sessionId: 's0' })).toEqual([ids[5], ids[0]])
    expect(await listed({ agent: 'nobody' })).toEqual([])
    await expect(client.turns({ cursor: 'nonsense' })).rejects.toMatchObject({ code: 'turn/invalid_input' })
    await expect(client.turns({ limit: 0 })).rejects.toMatchObject({ code: 'turn/invalid_input' })
  })
})
