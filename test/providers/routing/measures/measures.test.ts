import { describe, expect, test } from 'vitest'
import { createPlaces } from '../../../../src/providers/routing/choice/places.ts'
import { createDecayingCount } from '../../../../src/providers/routing/measures/decaying-count.ts'
import { createHealthScores } from '../../../../src/providers/routing/measures/health-score.ts'
import { createRetryBudget } from '../../../../src/providers/routing/measures/retry-budget.ts'
import { createSpeeds } from '../../../../src/providers/routing/measures/speed.ts'

/** A clock that moves when it is told to. */
function clock() {
  let at = 0
  const now = (): number => at
  const pass = (ms: number): void => {
    at += ms
  }
  return { now, pass }
}

test('a decaying count is half after a half-life', () => {
  const { now, pass } = clock()
  const count = createDecayingCount({ halfLifeMs: 1000, now })
  count.add(8)
  pass(1000)
  expect(count.value()).toBeCloseTo(4)
  count.add()
  pass(2000)
  expect(count.value()).toBeCloseTo(1.25)
})

describe('the retry budget', () => {
  test('lets three further attempts be made, whatever the successes, and more when time has passed', () => {
    const { now, pass } = clock()
    const budget = createRetryBudget({ share: 0.1, now })
    const spend = (): boolean => {
      const isFree = !budget.isSpent('coder')
      if (isFree) budget.spent('coder')
      return isFree
    }
    expect([1, 2, 3, 4].map(spend)).toEqual([true, true, true, false])
    expect(budget.isSpent('other')).toBe(false)
    pass(10_000)
    expect([1, 2].map(spend)).toEqual([true, false])
  })

  test('grows with the successes to its share of them', () => {
    const { now } = clock()
    const budget = createRetryBudget({ share: 0.1, now })
    for (let i = 0; i < 100; i++) budget.succeeded('coder')
    let spent = 0
    for (; !budget.isSpent('coder'); spent++) budget.spent('coder')
    expect(spent).toBe(10)
  })
})

describe('the speed of a route', () => {
  const answer = (timeToFirstContentMs: number) => ({
    outcome: 'ok' as const,
    durationMs: 9999,
    timeToFirstContentMs,
  })

  test('a slow answer counts at once, fast ones little by little, and silence fades', () => {
    const { now, pass } = clock()
    const speeds = createSpeeds(now)
    expect(speeds.costOf('p/a')).toBe(0)
    speeds.ended('p/a', answer(100))
    expect(speeds.costOf('p/a')).toBe(100)
    speeds.ended('p/a', answer(1000))
    expect(speeds.costOf('p/a')).toBe(1000)
    speeds.ended('p/a', answer(100))
    expect(speeds.costOf('p/a')).toBeCloseTo(820)
    pass(60_000)
    expect(speeds.costOf('p/a')).toBeCloseTo(820 / Math.E)
  })

  test('what is under way multiplies it', () => {
    const speeds = createSpeeds(clock().now)
    speeds.began('p/a')
    speeds.ended('p/a', answer(100))
    speeds.began('p/a')
    speeds.began('p/a')
    expect(speeds.costOf('p/a')).toBe(300)
  })

  test('a failure counts by the time it took, and not for what is typical', () => {
    const speeds = createSpeeds(clock().now)
    speeds.ended('p/a', { outcome: 'failed', durationMs: 5000 })
    expect(speeds.costOf('p/a')).toBe(5000)
    expect(speeds.typicalMs('p/a')).toBe(0)
    speeds.ended('p/a', { outcome: 'cancelled', durationMs: 60_000 })
    expect(speeds.costOf('p/a')).toBe(5000)
  })
})

test('the health score is the factor of the state times the share of successes; HTML and stalls count twice', () => {
  const { now, pass } = clock()
  const scores = createHealthScores(now)
  expect(scores.scoreOf('p/a', 'closed')).toBe(1)
  expect(scores.scoreOf('p/a', 'degraded')).toBe(0.75)
  expect(scores.scoreOf('p/a', 'open')).toBe(0)
  scores.failed('p/a', 'html_payload')
  expect(scores.scoreOf('p/a', 'closed')).toBeCloseTo(0.5)
  scores.succeeded('p/a')
  scores.succeeded('p/a')
  expect(scores.scoreOf('p/a', 'closed')).toBeCloseTo(4 / 6)
  pass(3_600_000)
  expect(scores.scoreOf('p/a', 'closed')).toBeGreaterThan(0.99)
})

describe('the places of a provider', () => {
  test('are taken in the order of asking, and handed on', async () => {
    const places = createPlaces({ p: 1, q: undefined })
    const leave = await places.take('p', undefined)
    expect(places.isFull('p')).toBe(true)
    expect(places.isFull('q')).toBe(false)
    const order: string[] = []
    const waiting = ['first', 'second'].map(async (name) => {
      const go = await places.take('p', undefined)
      order.push(name)
      go?.()
    })
    leave?.()
    leave?.() // twice is once
    await Promise.all(waiting)
    expect(order).toEqual(['first', 'second'])
    expect(places.isFull('p')).toBe(false)
  })

  test('a waiter that gives up leaves the queue', async () => {
    const places = createPlaces({ p: 1 })
    const leave = await places.take('p', undefined)
    const stop = new AbortController()
    const waiting = places.take('p', stop.signal)
    stop.abort()
    expect(await waiting).toBeUndefined()
    leave?.()
    expect(places.isFull('p')).toBe(false)
    expect(await places.take('p', AbortSignal.abort())).toBeDefined()
    expect(await places.take('p', AbortSignal.abort())).toBeUndefined()
  })
})
