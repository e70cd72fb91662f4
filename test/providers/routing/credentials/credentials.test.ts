import { describe, expect, test } from 'vitest'
import { type Reason, TurnkeeperError } from '../../../../src/errors.ts'
import { createAttemptEngine } from '../../../../src/providers/routing/attempt-engine.ts'
import { credentialSubject } from '../../../../src/providers/routing/breaker/subjects.ts'
import type { TakenCredential } from '../../../../src/providers/routing/credentials/credentials.ts'
import type { EngineOptions } from '../../../../src/providers/routing/engine-types.ts'
import { createRouter } from '../../../../src/providers/routing/router.ts'
import type { AttemptReport } from '../../../../src/providers/upstream.ts'
import { noTelemetry } from '../../../../src/telemetry/none.ts'
import { type Act, ROUTING, scriptedUpstream, tableOf } from '../scripted.ts'
import { keyed, stageCredentials, withTokens } from './stage.ts'

const reportOf = (reason?: Reason, retryAfterMs?: number): AttemptReport => ({
  ...{ route: 'p/a', phase: 'before_content', streamed: true, usage: null, durationMs: 1, idleMs: 0 },
  outcome: reason === undefined ? 'ok' : reason === 'cancelled' ? 'cancelled' : 'failed',
  ...(reason && {
    error: new TurnkeeperError(reason, 'scripted', { ...(retryAfterMs !== undefined && { retryAfterMs }) }),
  }),
})
const end = (taken: TakenCredential | undefined, reason?: Reason, retryAfterMs?: number) =>
  taken?.settle(reportOf(reason, retryAfterMs), { generation: 0 })

describe('the choice of a credential', () => {
  test('follows the weights (C1)', () => {
    let point = 0
    const { credentials } = stageCredentials([keyed('a', 3), keyed('b', 1)], { random: () => point })
    const chosen = [0, 0.3, 0.7, 0.8, 0.99].map((at) => {
      point = at
      const taken = credentials.take('p')
      void end(taken)
      return taken?.id
    })
    expect(chosen).toEqual(['a', 'a', 'a', 'b', 'b'])
  })

  test('turns away from what has much under way (C1)', () => {
    const { credentials } = stageCredentials([keyed('a'), keyed('b')], { random: () => 0.4 })
    expect([1, 2, 3, 4].map(() => credentials.take('p')?.id)).toEqual(['a', 'b', 'a', 'b'])
  })

  test('turns away from quota pressure, which falls with time (C1)', async () => {
    const { credentials, pass } = stageCredentials([keyed('a'), keyed('b')], { random: () => 0.4 })
    const pressure = () => credentials.statuses()[0]?.quotaPressure ?? 0
    expect(pressure()).toBe(0)
    for (let i = 0; i < 6; i++)
      await end(credentials.take('p', { except: new Set(['b']), lastResort: true }), 'rate_limited', 1000)
    expect(pressure()).toBeCloseTo(0.75)
    pass(2000)
    expect(credentials.take('p')?.id).toBe('b')
    pass(30 * 60_000)
    expect(pressure()).toBeLessThan(0.1)
  })

  test('passes over those that rest or are open, and takes the one that is back first where none is left', async () => {
    const { credentials, health } = stageCredentials([keyed('a'), keyed('b')])
    await end(credentials.take('p'), 'rate_limited', 20_000)
    expect(credentials.take('p')?.id).toBe('b')
    health.set('p#b', 'open', 5000)
    expect(credentials.standing('p')).toEqual({
      kind: 'unusable',
      inMs: 5000,
      why: 'a rests for 20 s, b is open',
    })
    expect(credentials.take('p')).toBeUndefined()
    expect(credentials.take('p', { lastResort: true })?.id).toBe('b')
  })

  test('a provider without credentials needs none', () => {
    const { credentials } = stageCredentials([])
    expect(credentials.standing('p')).toEqual({ kind: 'keyless' })
    expect(credentials.take('p', { lastResort: true })).toBeUndefined()
  })

  test('a key that was replaced has another breaker, which does not tell the key', () => {
    const before = credentialSubject('p', keyed('a'))
    const after = credentialSubject('p', { ...keyed('b'), id: 'a' })
    expect(before).toMatch(/^p#a@[0-9a-f]{10}$/)
    expect(after).not.toBe(before)
  })
})

describe('what an answer means for a credential', () => {
  test.each([
    [undefined, 60_000],
    [5000, 5000],
    [0, 1000],
    [18 * 86_400_000, 900_000],
  ])('a 429 that asks for %s ms lets it rest for %s ms (C2)', async (asked, rested) => {
    const { credentials, rests, health } = stageCredentials([keyed('a')])
    await end(credentials.take('p'), 'rate_limited', asked)
    expect(rests).toEqual([`p#a ${rested}`])
    expect(health.told).toEqual([])
  })

  test('a refusal is weighed by whoever knows of the others', async () => {
    const { credentials, refusals } = stageCredentials([keyed('a')])
    await end(credentials.take('p'), 'invalid_key')
    expect(refusals).toMatchObject([{ provider: 'p', route: 'p/a', reason: 'invalid_key' }])
  })

  test.each(['cancelled', 'invalid_request', 'html_payload', 'server_error'] as const)(
    '%s says nothing of it',
    async (reason) => {
      const { credentials, rests, refusals } = stageCredentials([keyed('a')])
      await end(credentials.take('p'), reason)
      expect([...rests, ...refusals]).toEqual([])
    },
  )
})

/** Two routes of one provider and an engine that uses credentials. */
function stage(
  scripts: Record<string, readonly Act[]>,
  list = [keyed('a'), keyed('b')],
  tokens?: never | object,
) {
  const staged = stageCredentials(list, tokens as Parameters<typeof stageCredentials>[1])
  const table = tableOf(Object.keys(scripts))
  const upstreams = new Map(
    Object.entries(scripts).map(([route, acts]) => [route, scriptedUpstream(route, acts)]),
  )
  const waits: number[] = []
  const { credentials, health } = staged
  const engine = createAttemptEngine({
    router: createRouter({ table, health, credentials }),
    ...{ table, health, credentials, telemetry: noTelemetry, config: ROUTING },
    upstreamOf: (route) => upstreams.get(route),
    random: () => 0.5,
    sleep: async (ms) => {
      waits.push(ms)
      staged.pass(ms)
      return true
    },
  })
  const run = (options: EngineOptions = {}) => engine.run({ model: 'coder', messages: [] }, () => {}, options)
  const keysOf = (route: string) => upstreams.get(route)?.calls.map(({ apiKey }) => apiKey)
  return { ...staged, run, waits, keysOf }
}

const OK: Act = { says: ['hello'] }

describe('the engine with several credentials', () => {
  test('after a 429 it tries the next credential of the same route at once, which is no failure of the route', async () => {
    const { run, keysOf, rests, waits, health } = stage({
      'p/a': [{ fails: 'rate_limited', retryAfterMs: 5000 }, OK],
      'p/b': [OK],
    })
    const { attempts, decisions } = await run()
    expect(attempts.map(({ route, credential }) => `${route} ${credential}`)).toEqual(['p/a a', 'p/a b'])
    expect(decisions).toEqual([{ type: 'rotate', from: 'p/a', to: 'p/a', reason: 'rate_limited' }])
    expect(keysOf('p/a')).toEqual(['key-a', 'key-b'])
    expect(rests).toEqual(['p#a 5000'])
    expect(waits).toEqual([])
    expect(health.told).toEqual(['p/a rate_limited', 'p/a ok'])
  })

  test('with all credentials limited it goes to a route of another provider, or waits where there is none', async () => {
    const limited: Act = { fails: 'rate_limited', retryAfterMs: 800 }
    const { run, waits } = stage({ 'p/a': [limited, limited, OK] })
    const { attempts, outcome } = await run()
    expect(outcome).toBe('ok')
    expect(attempts.map(({ credential }) => credential)).toEqual(['a', 'b', 'a'])
    expect(waits).toEqual([800])
  })

  test('after a refusal it tries the next credential, and the route is not blamed', async () => {
    const { run, refusals, health } = stage({ 'p/a': [{ fails: 'invalid_key' }, OK], 'p/b': [OK] })
    expect((await run()).attempts.map(({ credential }) => credential)).toEqual(['a', 'b'])
    expect(refusals).toHaveLength(1)
    expect(health.told).toEqual(['p/a ok'])
  })

  test('a refused OAuth token is renewed once, and tried again before anything else (C3)', async () => {
    let current = 'old'
    const tokens = {
      token: async () => current,
      renew: async () => {
        current = 'new'
        return current
      },
    }
    const { run, keysOf, refusals } = stage(
      { 'p/a': [{ fails: 'invalid_key' }, OK], 'p/b': [OK] },
      [withTokens('a')],
      { tokens },
    )
    expect((await run()).outcome).toBe('ok')
    expect(keysOf('p/a')).toEqual(['old', 'new'])
    expect(refusals).toEqual([])
  })

  test('a token that cannot be renewed counts as refused', async () => {
    const tokens = { token: async () => 'old', renew: async () => 'old' }
    const { run, keysOf, refusals } = stage(
      { 'p/a': [{ fails: 'invalid_key' }], 'p/b': [OK] },
      [withTokens('a')],
      { tokens },
    )
    expect((await run()).attempts.map(({ route }) => route)).toEqual(['p/a', 'p/b'])
    expect(keysOf('p/a')).toEqual(['old'])
    expect(refusals).toHaveLength(1)
  })

  test('attempts are counted over all credentials', async () => {
    const { run } = stage(
      { 'p/a': [{ fails: 'rate_limited' }] },
      ['a', 'b', 'c', 'd', 'e', 'f'].map((id) => keyed(id)),
    )
    expect((await run()).attempts).toHaveLength(ROUTING.maxAttempts)
  })
})
