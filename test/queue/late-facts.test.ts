import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { createBacklog } from '../../src/queue/backlog.ts'
import { createControl } from '../../src/queue/control.ts'
import { createJournal, type Journal } from '../../src/queue/journal.ts'
import type { Claim } from '../../src/queue/journal-types.ts'
import { persist } from '../../src/queue/persist.ts'
import { closeRedis, connectRedis, type RedisConnection } from '../../src/redis/connection.ts'
import type { RedisServer } from '../../src/redis/embedded.ts'
import { sessionKeys, sessionOfTurn, sessionRef } from '../../src/redis/keys.ts'
import { serverKinds, startRedis } from '../redis-servers.ts'

const pay = (nonce: string, more: object = {}) => ({
  stepId: 'm1.1',
  nonce,
  kind: 'tool' as const,
  name: 'pay',
  effect: 'unsafe' as const,
  hash: 'h',
  events: [],
  ...more,
})

describe.each(serverKinds)('late facts in the journal on %s', (kind) => {
  let server: RedisServer
  let redis: RedisConnection
  let journal: Journal
  let count = 0
  let turnId = ''
  let zombie: Claim

  beforeAll(async () => {
    server = await startRedis(kind)
    redis = await connectRedis(server.url)
    journal = createJournal({ redis, prefix: 'late', resultTtlMs: 60_000, eventTtlMs: 60_000 })
  })
  afterAll(async () => {
    await closeRedis(redis)
    await server.close()
  })
  beforeEach(async () => {
    const session = sessionRef(`s${kind}${++count}`)
    turnId = (await journal.accept({ session, agent: 'a', input: 'x', options: {}, carrier: {} })).turnId
    zombie = await claimed('w1')
    expect(await journal.begin(zombie, pay('n1'))).toEqual({ outcome: 'go' })
  })

  const claimed = async (worker: string): Promise<Claim> => {
    const who = { worker, wakeup: 'job', leaseMs: 10_000, agents: '*' as const }
    const outcome = await journal.claim(turnId, who)
    if (outcome.outcome !== 'claimed') throw new Error(`expected a claim, got ${outcome.outcome}`)
    return outcome.claim
  }
  const park = async (claim: Claim) =>
    journal.finish(claim, {
      state: 'needs_review',
      holds: new Map([['m1.1', { state: 'pending', callId: 'c1', name: 'pay', nonce: 'n1' }]]),
      events: [{ type: 'turn.needs_review', callId: 'c1', reason: 'lost' }],
    })
  const stateOf = async () => (await journal.read(turnId))?.state
  const commit = () => journal.commit(zombie, { stepId: 'm1.1', nonce: 'n1', result: 'paid', events: [] })

  test('a tool that ends after all ends the review that asks for it, and is replayed (J9)', async () => {
    await park(await claimed('w2'))
    expect(await stateOf()).toBe('needs_review')
    expect(await commit()).toBe('fenced')
    expect(await stateOf()).toBe('queued')
    expect((await claimed('w3')).done.get('m1.1')).toBe('paid')
  })

  test('a tool that was never run ends the review too, and is begun again (J9)', async () => {
    await park(await claimed('w2'))
    await journal.withdraw(zombie, { stepId: 'm1.1', nonce: 'n1' })
    expect(await stateOf()).toBe('queued')
    expect(await journal.begin(await claimed('w3'), pay('n3'))).toMatchObject({ outcome: 'reviewed' })
  })

  const reviewed = async (state: 'done' | 'not_done') => {
    await park(await claimed('w2'))
    const control = createControl({
      redis,
      prefix: 'late',
      journal,
      backlog: createBacklog({ redis, prefix: 'late' }),
      resultTtlMs: 60_000,
      eventTtlMs: 60_000,
    })
    await control.decide(turnId, 'c1', { kind: 'review', state, by: 'ops' })
    return claimed('w3')
  }

  test.each(['done', 'not_done'] as const)(
    'a start on a review that says %s is told so again when its reply was lost (J8, J10)',
    async (state) => {
      const claim = await reviewed(state)
      const told = { outcome: 'reviewed', decision: { state } }
      expect(await journal.begin(claim, pay('n3'))).toMatchObject(told)
      expect(await journal.begin(claim, pay('n3'))).toMatchObject(told)
    },
  )

  test('a worker lost after a review that says done leaves nothing unknown (J8)', async () => {
    await journal.begin(await reviewed('done'), pay('n3'))
    expect(await journal.begin(await claimed('w4'), pay('n4'))).toMatchObject({ outcome: 'reviewed' })
    expect(await journal.begin(await claimed('w5'), pay('n5'))).toMatchObject({ outcome: 'reviewed' })
  })

  test('a worker lost after a review that says not done leaves the same unknown again (J8)', async () => {
    await journal.begin(await reviewed('not_done'), pay('n3'))
    expect(await journal.begin(await claimed('w4'), pay('n4'))).toEqual({ outcome: 'ambiguous', nonce: 'n3' })
  })

  test('a fact that comes before the turn is parked makes the review needless (J9)', async () => {
    const taker = await claimed('w2')
    expect(await journal.begin(taker, pay('n2'))).toMatchObject({ outcome: 'ambiguous' })
    await commit()
    expect(await park(taker)).toMatchObject({ outcome: 'ok', following: { kind: 'turn', turnId } })
    expect(await stateOf()).toBe('queued')
  })

  test('a start that was taken back is as if it had not been (J9)', async () => {
    await journal.withdraw(zombie, { stepId: 'm1.1', nonce: 'n1' })
    expect(await journal.begin(await claimed('w2'), pay('n2'))).toEqual({ outcome: 'go' })
  })

  test('what somebody else has begun anew is not taken back (J9)', async () => {
    await journal.withdraw(zombie, { stepId: 'm1.1', nonce: 'n1' })
    await journal.begin(await claimed('w2'), pay('n2'))
    await journal.withdraw(zombie, { stepId: 'm1.1', nonce: 'n1' })
    expect(await journal.begin(await claimed('w3'), pay('n3'))).toMatchObject({ outcome: 'ambiguous' })
  })

  test('a delta that is sent twice after a lost reply is read once (J10)', async () => {
    const { events } = sessionKeys('late', sessionOfTurn(turnId)).turn(turnId)
    const before = await redis.xlen(events)
    const twice = new Proxy(redis, {
      get: (target, name) =>
        name === 'evalsha' || name === 'eval'
          ? async (...args: unknown[]) => {
              const call = Reflect.get(target, name) as (...args: unknown[]) => Promise<unknown>
              await call.apply(target, args)
              return call.apply(target, args)
            }
          : Reflect.get(target, name),
    })
    const resending = createJournal({ redis: twice, prefix: 'late', resultTtlMs: 60_000, eventTtlMs: 60_000 })
    await resending.relay(zombie)([{ type: 'text.delta', stepId: 'm1', delta: 'once' }])
    expect((await redis.xlen(events)) - before).toBe(1)
  })

  test('the lease of a worker that has died counts no longer, that of another one does', async () => {
    const who = { worker: 'w2', wakeup: 'other job', leaseMs: 10_000, agents: '*' as const }
    expect(await journal.claim(turnId, { ...who, gone: 'w0' })).toMatchObject({
      outcome: 'busy',
      worker: 'w1',
    })
    expect(await journal.claim(turnId, { ...who, gone: 'w1' })).toMatchObject({ outcome: 'claimed' })
  })
})

test('a write is repeated until it is answered (J10)', async () => {
  let tries = 0
  const write = async () => {
    if (++tries < 3) throw new Error('no answer')
    return 'written'
  }
  expect(await persist(write, 5_000)).toBe('written')
  expect(tries).toBe(3)
})

test('a write that nobody answers is given up in time (J10)', async () => {
  const write = () => Promise.reject(new Error('no answer'))
  await expect(persist(write, 250)).rejects.toThrow('no answer')
})
