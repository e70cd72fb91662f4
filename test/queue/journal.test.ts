import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createBacklog } from '../../src/queue/backlog.ts'
import { createJournal, type Journal } from '../../src/queue/journal.ts'
import type { Claim, TurnEnding } from '../../src/queue/journal-types.ts'
import type { TurnResult } from '../../src/queue/types.ts'
import { closeRedis, connectRedis, type RedisConnection } from '../../src/redis/connection.ts'
import type { RedisServer } from '../../src/redis/embedded.ts'
import { globalKeys, type SessionRef, sessionKeys, sessionOfTurn, sessionRef } from '../../src/redis/keys.ts'
import { clusterKinds, startRedis } from '../redis-servers.ts'

const result = (id: string, text: string): TurnResult => ({
  id,
  sessionId: 's',
  status: 'completed',
  text,
  steps: [],
  usage: {
    inputTokens: null,
    outputTokens: null,
    totalTokens: null,
    cachedInputTokens: null,
    reasoningTokens: null,
  },
  costUsd: null,
  finishReason: 'stop',
  routes: [],
})

describe.each(clusterKinds)('the journal on %s', (kind) => {
  let server: RedisServer
  let redis: RedisConnection
  let journal: Journal
  let session: SessionRef
  let count = 0

  beforeAll(async () => {
    server = await startRedis(kind)
    redis = await connectRedis(server.url)
    const tenants = { default: { running: 1_000, queued: 1_000 } }
    const backlog = createBacklog({ redis, prefix: 'test', tenants })
    journal = createJournal({ redis, prefix: 'test', resultTtlMs: 60_000, eventTtlMs: 60_000, backlog })
  })
  afterAll(async () => {
    await closeRedis(redis)
    await server.close()
  })

  const accept = (input = 'hello', more: object = {}) =>
    journal.accept({ session, agent: 'echo', input, options: {}, carrier: {}, ...more })
  const claim = (turnId: string, who: object = {}) =>
    journal.claim(turnId, { worker: 'w1', wakeup: 'job1', leaseMs: 10_000, agents: ['echo'], ...who })
  const claimed = async (turnId: string, who: object = {}): Promise<Claim> => {
    const outcome = await claim(turnId, who)
    if (outcome.outcome !== 'claimed') throw new Error(`expected a claim, got ${JSON.stringify(outcome)}`)
    return outcome.claim
  }
  const step = (more: object = {}) => ({
    stepId: 'm1',
    nonce: 'n1',
    kind: 'model' as const,
    name: 'coder',
    effect: 'pure' as const,
    hash: 'h',
    events: [{ type: 'step.started' as const, stepId: 'm1', kind: 'model' as const, name: 'coder' }],
    ...more,
  })
  const eventTypes = async (turnId: string): Promise<string[]> => {
    const entries = await redis.xrange(
      sessionKeys('test', sessionOfTurn(turnId)).turn(turnId).events,
      '-',
      '+',
    )
    return entries.flatMap(([, fields]) =>
      (JSON.parse(fields[1] ?? '[]') as { type: string }[]).map((e) => e.type),
    )
  }
  const fresh = (): void => {
    session = sessionRef(`s${kind}${++count}`)
  }

  test('an accepted turn is readable and stands in the index of open turns (J1)', async () => {
    fresh()
    const { turnId, ...rest } = await accept('what is this?')
    expect(rest).toEqual({ outcome: 'accepted', position: 0, acceptedAt: expect.any(Number) })
    expect(await journal.read(turnId)).toMatchObject({
      id: turnId,
      state: 'queued',
      epoch: 0,
      input: 'what is this?',
    })
    expect(await redis.zrange(globalKeys('test').open, '0', '-1')).toContain(turnId)
  })

  test('the same idempotency key gives the same turn, and other input a conflict (J1)', async () => {
    fresh()
    const first = await accept('a', { idempotencyKey: 'k' })
    expect(await accept('a', { idempotencyKey: 'k' })).toEqual({ ...first, outcome: 'duplicate' })
    expect(await accept('b', { idempotencyKey: 'k' })).toEqual({ outcome: 'conflict', turnId: first.turnId })
  })

  test('only the head of a session can be claimed, and each claim raises the epoch (J2)', async () => {
    fresh()
    const first = await accept('1')
    const second = await accept('2')
    expect(await claim(second.turnId)).toEqual({
      outcome: 'next',
      following: { kind: 'turn', turnId: first.turnId },
    })
    expect((await claimed(first.turnId)).epoch).toBe(1)
    expect((await claimed(first.turnId)).epoch).toBe(2)
    expect(await eventTypes(first.turnId)).toEqual(['turn.started', 'turn.started'])
  })

  test('a running turn is busy for another wake-up until its lease ends', async () => {
    fresh()
    const { turnId } = await accept()
    await claimed(turnId, { leaseMs: 150 })
    expect(await claim(turnId, { wakeup: 'job2' })).toMatchObject({ outcome: 'busy' })
    await new Promise((resolve) => setTimeout(resolve, 200))
    expect((await claimed(turnId, { wakeup: 'job2', worker: 'w2' })).epoch).toBe(2)
  })

  test('a worker without the agent is told so and changes nothing', async () => {
    fresh()
    const { turnId } = await accept()
    expect(await claim(turnId, { agents: ['other'] })).toMatchObject({ outcome: 'unserved', agent: 'echo' })
    expect(await journal.read(turnId)).toMatchObject({ state: 'queued', epoch: 0 })
  })

  test('a claim tells whose run was lost before it, and none after one that let go', async () => {
    fresh()
    const { turnId } = await accept()
    const first = await claimed(turnId, { worker: 'w1' })
    expect(first.lost).toBeUndefined()
    await journal.begin(first, step())
    await journal.commit(first, { stepId: 'm1', nonce: 'n1', result: {}, events: [] })
    await journal.begin(first, step({ stepId: 'm1.1', nonce: 'n2', kind: 'tool', name: 'look_up' }))
    const second = await claimed(turnId, { worker: 'w2' })
    expect(second.lost).toEqual({
      worker: 'w1',
      claimedAt: first.now,
      steps: [{ stepId: 'm1.1', kind: 'tool', name: 'look_up', startedAt: expect.any(Number) }],
    })
    expect((await claimed(turnId, { worker: 'w3' })).lost?.steps).toEqual([])
    const last = await claimed(turnId, { worker: 'w2' })
    await journal.finish(last, { state: 'queued', events: [] })
    expect((await claimed(turnId, { worker: 'w3' })).lost).toBeUndefined()
  })

  test('deltas of many turns at one moment reach each their own readers, and those of a lost one nobody', async () => {
    const claims: Claim[] = []
    for (let n = 0; n < 120; n++) {
      fresh()
      const { turnId } = await accept()
      claims.push(await claimed(turnId))
    }
    const zombie = claims[60]!
    await claimed(zombie.turn.id)
    const outcomes = await Promise.all(
      claims.map((one, n) => journal.relay(one)([{ type: 'text.delta', stepId: 'm1', delta: `to ${n}` }])),
    )
    expect(outcomes.flatMap((outcome, n) => (outcome === 'ok' ? [] : [n]))).toEqual([60])
    for (const n of [0, 59, 61, 119]) {
      const { events } = sessionKeys('test', claims[n]!.session).turn(claims[n]!.turn.id)
      const last = await redis.xrevrange(events, '+', '-', 'COUNT', 1)
      expect(last[0]?.[1]?.[1]).toBe(JSON.stringify([{ type: 'text.delta', stepId: 'm1', delta: `to ${n}` }]))
    }
    expect(await eventTypes(zombie.turn.id)).toEqual(['turn.started', 'turn.started'])
  })

  test('a worker that has lost its turn can neither write nor finish (J3)', async () => {
    fresh()
    const { turnId } = await accept()
    const zombie = await claimed(turnId)
    await claimed(turnId)
    expect(await journal.renew(zombie, 1000)).toEqual({ outcome: 'fenced' })
    expect(await journal.begin(zombie, step())).toEqual({ outcome: 'fenced' })
    expect(await journal.relay(zombie)([{ type: 'text.delta', stepId: 'm1', delta: 'x' }])).toBe('fenced')
    expect(
      await journal.finish(zombie, { state: 'completed', result: result(turnId, 'x'), events: [] }),
    ).toEqual({
      outcome: 'fenced',
    })
    expect(await eventTypes(turnId)).toEqual(['turn.started', 'turn.started'])
  })

  test('a committed step is replayed by the next claim and never begun again (J4)', async () => {
    fresh()
    const { turnId } = await accept()
    const first = await claimed(turnId)
    expect(await journal.begin(first, step())).toEqual({ outcome: 'go' })
    expect(
      await journal.commit(first, {
        stepId: 'm1',
        nonce: 'n1',
        result: { text: 'héllo', list: [] },
        events: [],
      }),
    ).toBe('ok')
    const second = await claimed(turnId)
    expect(second.done.get('m1')).toEqual({ text: 'héllo', list: [] })
    expect(await journal.begin(second, step({ nonce: 'n2' }))).toEqual({
      outcome: 'done',
      result: { text: 'héllo', list: [] },
    })
    expect(await journal.begin(second, step({ nonce: 'n2', hash: 'other' }))).toEqual({ outcome: 'mismatch' })
  })

  test('a step begun by a lost worker is begun again, with a notice to the readers (J5)', async () => {
    fresh()
    const { turnId } = await accept()
    await journal.begin(await claimed(turnId), step())
    const second = await claimed(turnId)
    expect(await journal.begin(second, step({ nonce: 'n2' }))).toEqual({ outcome: 'go' })
    expect(await eventTypes(turnId)).toEqual([
      'turn.started',
      'step.started',
      'turn.started',
      'step.restarted',
    ])
  })

  test('an unsafe tool whose outcome is unknown is not begun again, but a resent command is (J5)', async () => {
    fresh()
    const { turnId } = await accept()
    const tool = step({ stepId: 'm1.1', kind: 'tool', name: 'pay', effect: 'unsafe' })
    const first = await claimed(turnId)
    expect(await journal.begin(first, tool)).toEqual({ outcome: 'go' })
    expect(await journal.begin(first, tool)).toEqual({ outcome: 'go' })
    const second = await claimed(turnId)
    expect(await journal.begin(second, { ...tool, nonce: 'n2' })).toEqual({
      outcome: 'ambiguous',
      nonce: 'n1',
    })
  })

  test('what a tool did is kept even from a lost worker, a model answer is not (J6)', async () => {
    fresh()
    const { turnId } = await accept()
    const zombie = await claimed(turnId)
    await journal.begin(zombie, step({ stepId: 'm1.1', kind: 'tool', name: 'pay', effect: 'unsafe' }))
    await claimed(turnId)
    expect(await journal.commit(zombie, { stepId: 'm1.1', nonce: 'n1', result: 'paid', events: [] })).toBe(
      'fenced',
    )
    expect(await journal.commit(zombie, { stepId: 'm2', result: 'text', events: [] })).toBe('fenced')
    expect([...(await claimed(turnId)).done]).toEqual([['m1.1', 'paid']])
  })

  test('a finished turn frees its session and leaves it its messages', async () => {
    fresh()
    const first = await accept('1')
    const second = await accept('2')
    const messages = [{ role: 'user', content: '1' }]
    const done = await journal.finish(await claimed(first.turnId), {
      state: 'completed',
      result: result(first.turnId, 'one'),
      messages,
      events: [{ type: 'turn.completed', text: 'one' }],
    })
    expect(done).toEqual({
      outcome: 'ok',
      following: { kind: 'turn', turnId: second.turnId },
      roused: [],
    })
    expect(await redis.zrange(globalKeys('test').open, '0', '-1')).not.toContain(first.turnId)
    expect((await claimed(second.turnId)).history).toEqual([messages])
    expect((await journal.read(first.turnId))?.result?.text).toBe('one')
  })

  test('a model step is committed once, and its events are told once, however often the command comes (J4)', async () => {
    fresh()
    const { turnId } = await accept()
    const first = await claimed(turnId)
    const commit = {
      stepId: 'm1',
      result: 'said',
      events: [{ type: 'step.completed' as const, stepId: 'm1' }],
    }
    expect(await journal.commit(first, commit)).toBe('ok')
    expect(await journal.commit(first, commit)).toBe('ok')
    expect(await eventTypes(turnId)).toEqual(['turn.started', 'step.completed'])
    const second = await claimed(turnId)
    expect(second.done.get('m1')).toBe('said')
    expect(await journal.commit(first, { ...commit, stepId: 'm2' })).toBe('fenced')
    expect([...(await claimed(turnId)).done.keys()]).toEqual(['m1'])
  })

  test('who takes a turn over is told which model step readers were shown, and of no other (J5)', async () => {
    fresh()
    const { turnId } = await accept()
    const first = await claimed(turnId, { worker: 'w1' })
    const step = { stepId: 'm1', name: 'a model: with spaces', startedAt: first.now + 5 }
    const write = journal.relay(first, step)
    const second = await claimed(turnId, { worker: 'w2' })
    expect(second.shown).toBeUndefined()
    expect(second.lost?.steps).toEqual([])
    expect(await write([{ type: 'text.delta', stepId: 'm1', delta: 'x' }])).toBe('fenced')
    await journal.relay(second, step)([{ type: 'text.delta', stepId: 'm1', delta: 'x' }])
    const third = await claimed(turnId, { worker: 'w3' })
    expect(third.shown).toEqual({ ...step, epoch: 2 })
    expect(third.lost?.steps).toEqual([{ ...step, kind: 'model' }])
    expect((await claimed(turnId, { worker: 'w4' })).lost?.steps).toEqual([])
  })

  test('a turn is ended by who holds it alone, and once, however often the command comes (J3)', async () => {
    fresh()
    const { turnId } = await accept()
    const zombie = await claimed(turnId, { leaseMs: 0 })
    const holder = await claimed(turnId, { wakeup: 'job2' })
    const ending = (text: string): TurnEnding => ({
      state: 'completed',
      result: result(turnId, text),
      events: [
        { type: 'step.completed', stepId: 'm1' },
        { type: 'turn.completed', text },
      ],
    })
    expect(await journal.finish(zombie, ending('late'))).toEqual({ outcome: 'fenced' })
    expect(await journal.finish(holder, ending('done'))).toMatchObject({ outcome: 'ok' })
    expect(await journal.finish(holder, ending('done'))).toMatchObject({ outcome: 'ok' }) // sent again
    expect(await journal.read(turnId)).toMatchObject({ state: 'completed', result: { text: 'done' } })
    expect(await eventTypes(turnId)).toEqual([
      'turn.started',
      'turn.started',
      'step.completed',
      'turn.completed',
    ])
  })

  test('a turn handed back is claimed again from where it was', async () => {
    fresh()
    const { turnId } = await accept()
    const first = await claimed(turnId)
    await journal.begin(first, step())
    await journal.commit(first, { stepId: 'm1', nonce: 'n1', result: 1, events: [] })
    expect(await journal.finish(first, { state: 'queued', events: [] })).toEqual({
      outcome: 'ok',
      following: { kind: 'turn', turnId },
      roused: [],
    })
    expect((await claimed(turnId, { wakeup: 'job2' })).done.get('m1')).toBe(1)
  })

  test('a turn takes its place when it is due', async () => {
    fresh()
    const late = await accept('late', { delayMs: 200 })
    const soon = await accept('soon')
    expect(await claim(late.turnId)).toEqual({
      outcome: 'next',
      following: { kind: 'turn', turnId: soon.turnId },
    })
    await journal.finish(await claimed(soon.turnId), {
      state: 'completed',
      result: result('', ''),
      events: [],
    })
    expect(await claim(late.turnId)).toMatchObject({ outcome: 'next', following: { kind: 'due' } })
    await new Promise((resolve) => setTimeout(resolve, 250))
    expect((await claimed(late.turnId)).turn.input).toBe('late')
  })
})
