import { describe, expect, test } from 'vitest'
import { type Reason, TurnkeeperError } from '../../../src/errors.ts'
import { waitOf } from '../../../src/providers/failures/retry-after.ts'
import { createAttemptEngine } from '../../../src/providers/routing/attempt-engine.ts'
import { createPlaces } from '../../../src/providers/routing/choice/places.ts'
import type { EngineOptions } from '../../../src/providers/routing/engine-types.ts'
import { createSpeeds } from '../../../src/providers/routing/measures/speed.ts'
import { nextAttempt } from '../../../src/providers/routing/next-attempt.ts'
import { createRouter } from '../../../src/providers/routing/router.ts'
import { noTelemetry } from '../../../src/telemetry/none.ts'
import { type Act, fakeHealth, ROUTING, scriptedUpstream, tableOf } from './scripted.ts'

const OK: Act = { says: ['hello'] }
const BAD: Act = { fails: 'server_error' }

/** An engine on a clock of the test's own; every attempt takes 10 ms of it. */
function stage(scripts: Record<string, readonly Act[]>, { concurrency }: { concurrency?: number } = {}) {
  let at = 0
  const health = fakeHealth()
  const table = tableOf(Object.keys(scripts))
  const speeds = createSpeeds(() => at)
  const places = createPlaces({ p: concurrency })
  const waits: number[] = []
  const upstreams = new Map(
    Object.entries(scripts).map(([route, acts]) => [
      route,
      scriptedUpstream(
        route,
        acts.map((act) => ({
          ...act,
          before: () => {
            at += 10
            act.before?.()
          },
        })),
      ),
    ]),
  )
  const engine = createAttemptEngine({
    router: createRouter({ table, health, places }),
    ...{ table, health, speeds, places, telemetry: noTelemetry, config: ROUTING },
    upstreamOf: (route) => upstreams.get(route),
    clock: () => at,
    random: () => 0.5,
    sleep: async (ms) => {
      waits.push(ms)
      at += ms
      return true
    },
  })
  const run = (options: EngineOptions = {}) => engine.run({ model: 'coder', messages: [] }, () => {}, options)
  return { run, speeds, waits, health, calls: (route: string) => upstreams.get(route)?.calls.length }
}

describe('the retry budget (A7)', () => {
  test('of an upstream that only fails pays for three further attempts, then each call makes one', async () => {
    const { run, calls } = stage({ 'p/a': [BAD] })
    const errors: (string | undefined)[] = []
    for (let i = 0; i < 6; i++) errors.push((await run()).error?.code)
    expect(calls('p/a')).toBe(9)
    expect(errors).toEqual([
      ...Array.from({ length: 3 }, () => 'server/server_error'),
      ...Array.from({ length: 3 }, () => 'server/retry_budget'),
    ])
  })

  test('that is spent still lets a call move once to a route that is as good, and says so when that fails too', async () => {
    const { run, calls } = stage({ 'p/a': [BAD], 'p/b': [BAD] })
    for (let i = 0; i < 2; i++) await run()
    const before = [calls('p/a'), calls('p/b')]
    const { attempts, error } = await run()
    expect(attempts.map(({ route }) => route)).toEqual(['p/a', 'p/b'])
    expect([calls('p/a'), calls('p/b')]).toEqual(before.map((count) => (count ?? 0) + 1))
    expect(error).toMatchObject({
      code: 'server/retry_budget',
      attempts: [{ route: 'p/a' }, { route: 'p/b' }],
    })
    expect(error?.cause).toMatchObject({ code: 'server/server_error' })
  })

  test('is not touched by other credentials, nor by what is not retried', async () => {
    const { run } = stage({ 'p/a': [{ fails: 'invalid_request' }] })
    for (let i = 0; i < 9; i++) expect((await run()).error?.code).toBe('bad_request/invalid_request')
  })
})

describe('the deadline of a call (A6)', () => {
  test('keeps a route from being tried that needs longer than what is left', async () => {
    const { run, speeds, calls } = stage({ 'p/a': [OK], 'p/b': [OK] })
    speeds.ended('p/a', { outcome: 'ok', durationMs: 9000, timeToFirstContentMs: 4000 })
    expect((await run({ deadlineMs: 3000 })).route).toBe('p/b')
    for (let i = 0; i < 30; i++)
      speeds.ended('p/b', { outcome: 'ok', durationMs: 9000, timeToFirstContentMs: 4000 })
    const { error, attempts } = await run({ deadlineMs: 3000 })
    expect(error?.code).toBe('turn/deadline')
    expect(attempts).toEqual([])
    expect(calls('p/a')).toBe(0)
  })

  test('that has passed ends the call before another attempt', async () => {
    const { run } = stage({ 'p/a': [BAD], 'p/b': [OK] })
    const { error, attempts } = await run({ deadlineMs: 10 })
    expect(error?.code).toBe('turn/deadline')
    expect(attempts).toHaveLength(1)
  })

  test('is not waited past for what an upstream asks', async () => {
    const { run, waits } = stage({ 'p/a': [{ fails: 'overloaded', retryAfterMs: 900 }, OK] })
    const { error } = await run({ deadlineMs: 500 })
    expect(error?.code).toBe('server/overloaded')
    expect(waits).toEqual([])
  })

  test('cancels an attempt that is under way', async () => {
    const { run } = stage({ 'p/a': [{ hangs: true, before: () => {} }] })
    const ended = await run({ deadlineMs: 30 })
    expect(ended.outcome).not.toBe('ok')
  })
})

describe('the places of a provider', () => {
  test('make calls wait for each other, and none goes beyond them', async () => {
    let underWay = 0
    let most = 0
    const act: Act = {
      says: ['hello'],
      before: () => {
        most = Math.max(most, ++underWay)
        queueMicrotask(() => underWay--)
      },
    }
    const { run } = stage({ 'p/a': [act] }, { concurrency: 1 })
    const outcomes = await Promise.all(Array.from({ length: 5 }, () => run()))
    expect(outcomes.map(({ outcome }) => outcome)).toEqual(Array.from({ length: 5 }, () => 'ok'))
    expect(most).toBe(1)
  })

  test('a waiter that is cancelled leaves, and the next one gets the place', async () => {
    const { run } = stage({ 'p/a': [{ hangs: true }] }, { concurrency: 1 })
    const first = new AbortController()
    const second = new AbortController()
    const running = run({ signal: first.signal })
    const waiting = run({ signal: second.signal })
    second.abort()
    expect((await waiting).outcome).toBe('cancelled')
    expect((await waiting).attempts).toEqual([])
    first.abort()
    expect((await running).outcome).toBe('cancelled')
  })
})

describe('a call that nobody wants any more when it begins', () => {
  test('takes no place and counts as nothing under way', async () => {
    const { run, speeds } = stage({ 'p/a': [OK] }, { concurrency: 1 })
    await run()
    const costBefore = speeds.costOf('p/a')
    for (let i = 0; i < 3; i++) expect((await run({ signal: AbortSignal.abort() })).outcome).toBe('cancelled')
    expect(speeds.costOf('p/a')).toBe(costBefore)
    expect((await run()).outcome).toBe('ok')
  })
})

describe('what an upstream asks to wait', () => {
  const now = Date.parse('2026-08-01T00:00:00Z')
  const DAYS_MS = 18 * 86_400_000
  test.each([
    ['seconds', '0.4', 'waited'],
    ['an HTTP date', new Date(now + 1000).toUTCString(), 'waited'],
    ['a Go duration', '6m0s', 'not retried'],
    ['RFC 3339', new Date(now + 900).toISOString(), 'waited'],
    ['nonsense', 'soon', 'own backoff'],
    ['nothing', '', 'own backoff'],
    ['eighteen days', String(DAYS_MS / 1000), 'not retried'],
    ['zero', '0', 'waited'],
  ])('as %s is %s: %s', async (_form, header, fate) => {
    const retryAfterMs = waitOf(header, now)
    const { run, waits, calls } = stage({
      'p/a': [{ fails: 'overloaded', ...(retryAfterMs !== undefined && { retryAfterMs }) }, OK],
    })
    await run()
    expect(calls('p/a')).toBe(fate === 'not retried' ? 1 : 2)
    if (fate === 'waited') expect(waits).toEqual([retryAfterMs])
    if (fate === 'own backoff') expect(waits).toEqual([50])
    for (const wait of waits) expect(wait).toBeLessThanOrEqual(ROUTING.backoff.maxMs)
  })
})

describe('what comes after a failure', () => {
  const table = tableOf(['p/a', 'p/b'])
  const decide = (
    reason: Reason,
    more: { isBudgetSpent?: boolean; canRotate?: boolean; b?: 'closed' | 'degraded'; isCommitted?: boolean },
  ) => {
    const health = fakeHealth()
    health.set('p/b', more.b ?? 'closed')
    const choice = createRouter({ table, health }).choose('coder')
    const [candidate] = choice.kind === 'routes' ? choice.candidates : []
    const { canRotate = false, isBudgetSpent = false, isCommitted = false } = more
    const next = nextAttempt(
      {
        error: new TurnkeeperError(reason, 'x'),
        isCommitted,
        candidate: candidate!,
        attempts: [{ route: 'p/a' }],
        canRotate,
      },
      { config: ROUTING, choice, random: () => 0, isBudgetSpent },
    )
    return next.type === 'stop' && next.isBudgetSpent ? 'budget' : next.type
  }
  test.each([
    ['server_error', {}, 'retry'],
    ['server_error', { isCommitted: true }, 'reroute'],
    ['server_error', { isBudgetSpent: true }, 'reroute'],
    ['server_error', { isBudgetSpent: true, b: 'degraded' }, 'budget'],
    ['rate_limited', {}, 'reroute'],
    ['rate_limited', { canRotate: true }, 'rotate'],
    ['rate_limited', { canRotate: true, isBudgetSpent: true }, 'rotate'],
    ['rate_limited', { b: 'degraded' }, 'reroute'],
    ['invalid_key', { canRotate: true }, 'rotate'],
    ['invalid_key', {}, 'reroute'],
    ['server_error', { canRotate: true }, 'retry'],
    ['context_length', {}, 'stop'],
    ['invalid_request', { canRotate: true }, 'stop'],
  ] as const)('%s with %j: %s', (reason, more, expected) => expect(decide(reason, more)).toBe(expected))
})
