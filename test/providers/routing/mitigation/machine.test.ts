import { describe, expect, test } from 'vitest'
import {
  advance,
  emptiesWindow,
  type MitigationRecord,
  resultOf,
  SHARES,
  shareOf,
  UNTOUCHED,
} from '../../../../src/providers/routing/mitigation/machine.ts'

const MINUTE = 60_000
const POLICY = { warn: 0.02, critical: 0.05, windowMs: 10 * MINUTE, minAttempts: 20, holdMs: 15 * MINUTE }

type Result = 'ok' | 'failed' | 'missing'

/** An alias on a clock of its own, whose first route gets the share of the calls that the record leaves it. */
function world(policy = POLICY) {
  let now = 1_000_000
  let record: MitigationRecord = UNTOUCHED
  let seen: { at: number; result: Result }[] = []
  let owed = 0
  const moves: { at: number; result: string; record: MitigationRecord }[] = []
  const look = (more: { request?: string; canMove?: boolean } = {}): void => {
    const inWindow = seen.filter(({ at }) => at > now - policy.windowMs)
    const count = (result: Result) => inWindow.filter((one) => one.result === result).length
    const evidence = { now, attempts: inWindow.length, failures: count('failed'), missing: count('missing') }
    const next = advance(record, { canMove: true, ...evidence, ...more }, policy)
    if (next === undefined) return
    moves.push({ at: now, result: resultOf(record.state, next), record: next })
    if (emptiesWindow(record.state, next.state)) seen = []
    record = next
  }
  return {
    moves,
    look,
    record: () => record,
    results: () => moves.map(({ result }) => result),
    /** So many calls a minute for so long; `fails` says how each attempt of the first route goes. */
    run(forMs: number, perMinute: number, fails: (n: number) => Result = () => 'ok') {
      const end = now + forMs
      for (let n = 1; now < end; n++) {
        now += MINUTE / perMinute
        owed += shareOf(record)
        if (owed >= 1) {
          owed -= 1
          seen.push({ at: now, result: fails(n) })
        }
        look()
      }
    },
  }
}

/** Six of a hundred, spread evenly. */
const sixPercent = (n: number): Result => (n % 50 === 17 || n % 50 === 34 || n % 50 === 0 ? 'failed' : 'ok')

describe('the mitigation of an alias', () => {
  test('moves at six percent of errors in ten minutes, holds, and returns in steps', () => {
    const { run, record, moves, results } = world()
    run(10 * MINUTE, 30)
    expect(record()).toBe(UNTOUCHED)
    run(10 * MINUTE, 30, sixPercent)
    expect(results()).toEqual(['warned', 'moved'])
    const movedAt = moves[1]?.at ?? 0
    expect(moves[1]?.record).toMatchObject({ state: 'moved', reason: 'errors', until: movedAt + 15 * MINUTE })

    run(60 * MINUTE, 30)
    expect(results()).toEqual([
      'warned',
      'moved',
      'returning',
      'returning',
      'returning',
      'returning',
      'returned',
    ])
    const back = moves.slice(2)
    expect((back[0]?.at ?? 0) - movedAt).toBeGreaterThanOrEqual(15 * MINUTE)
    expect(back.slice(0, 4).map((move) => shareOf(move.record))).toEqual(SHARES)
    expect(back[4]?.record).toMatchObject({ state: 'normal', reason: 'recovered' })
    // Each share was borne by twenty attempts: the smaller it is, the longer that takes.
    const lengths = back.slice(1).map(({ at }, i) => Math.round((at - (back[i]?.at ?? 0)) / 1000))
    expect(lengths).toEqual([...lengths].sort((a, b) => b - a))
    expect(lengths[0]).toBeGreaterThan(6 * MINUTE * 1e-3)
  })

  test('warns between two and five percent, once, and clears at one', () => {
    const { run, results } = world()
    run(20 * MINUTE, 30, (n) => (n % 33 === 0 ? 'failed' : 'ok'))
    expect(results()).toEqual(['warned'])
    run(10 * MINUTE, 30)
    expect(results()).toEqual(['warned', 'cleared'])
  })

  test('concludes nothing from fewer than twenty attempts (M1)', () => {
    const { run, results } = world()
    run(9 * MINUTE, 2, () => 'failed')
    expect(results()).toEqual([])
    run(2 * MINUTE, 2, () => 'failed')
    expect(results()).toEqual(['moved'])
  })

  test('holds whatever is seen meanwhile (M2), and goes back to the whole hold when errors return (M4)', () => {
    const { run, record, results, moves } = world()
    run(MINUTE, 60, () => 'failed')
    expect(record().state).toBe('moved')
    run(14 * MINUTE, 60)
    expect(results()).toEqual(['moved'])
    run(4 * MINUTE, 60, () => 'failed')
    expect(results()).toEqual(['moved', 'returning', 'moved'])
    const last = moves.at(-1)
    expect(last?.record).toMatchObject({ reason: 'errors_returned', until: (last?.at ?? 0) + 15 * MINUTE })
  })

  test('a share grows by what was seen at it (M3): two failures are over at once, one is borne', () => {
    const one = world()
    one.run(MINUTE, 60, () => 'failed')
    one.run(15 * MINUTE, 60)
    let failures = 0
    one.run(4 * MINUTE, 60, () => (failures++ === 0 ? 'failed' : 'ok'))
    expect(one.record().state).toBe('returning')
    expect(one.record().step).toBeGreaterThan(0)
    one.run(MINUTE, 60, () => 'failed')
    expect(one.record()).toMatchObject({ state: 'moved', reason: 'errors_returned' })
  })

  test('an alias that is seldom asked returns by whole windows in which it answered', () => {
    const { run, record, results } = world()
    run(MINUTE, 60, () => 'failed')
    run(16 * MINUTE, 1)
    run(9 * 60 * MINUTE, 0.25)
    expect(results().slice(1)).toEqual(['returning', 'returning', 'returning', 'returning', 'returned'])
    expect(record().state).toBe('normal')
  })

  test('nobody asking at all proves nothing', () => {
    const old = 24 * 60 * MINUTE
    const nothing = { attempts: 0, failures: 0, missing: 0, canMove: true }
    const back: MitigationRecord = { state: 'returning', since: 0, reason: 'hold_over', step: 0 }
    expect(advance(back, { ...nothing, now: old }, POLICY)).toBeUndefined()
    expect(advance(back, { ...nothing, attempts: 1, now: old }, POLICY)).toMatchObject({ step: 1 })
    expect(advance(back, { ...nothing, attempts: 1, failures: 1, now: old }, POLICY)).toBeUndefined()
  })

  test('stays when the fallback cannot serve, says so once, and moves as soon as it can (M5)', () => {
    const records: (MitigationRecord | undefined)[] = []
    const bad = { now: 5, attempts: 100, failures: 50, missing: 0 }
    records.push(advance(UNTOUCHED, { ...bad, canMove: false }, POLICY))
    expect(records[0]).toMatchObject({ state: 'warned', reason: 'no_fallback' })
    expect(resultOf('normal', records[0]!)).toBe('failed')
    expect(advance(records[0]!, { ...bad, canMove: false }, POLICY)).toBeUndefined()
    expect(advance(records[0]!, { ...bad, canMove: true }, POLICY)).toMatchObject({
      state: 'moved',
      reason: 'errors',
    })
  })

  test('a model that is not found moves at the third time, and one is enough to go back to the hold', () => {
    const { run, record, results, moves } = world()
    run(MINUTE / 15, 30, () => 'missing')
    expect(results()).toEqual([])
    run(MINUTE / 30, 30, () => 'missing')
    expect(moves[0]?.record).toMatchObject({ state: 'moved', reason: 'model_not_found' })
    run(16 * MINUTE, 30)
    expect(record().state).toBe('returning')
    run(MINUTE, 30, () => 'missing')
    expect(record()).toMatchObject({ state: 'moved', reason: 'errors_returned' })
  })

  test('a model that is mostly found is not missing', () => {
    const { run, results } = world()
    run(8 * MINUTE, 30, (n) => (n % 50 === 0 ? 'missing' : 'ok'))
    expect(results()).toEqual([])
  })

  test('a request moves from every state but the hold, with who asked', () => {
    const { run, look, record, results } = world()
    look({ request: 'ModelErrorRatioCritical' })
    expect(record()).toMatchObject({ state: 'moved', reason: 'requested', note: 'ModelErrorRatioCritical' })
    const { until } = record()
    run(MINUTE, 30)
    look({ request: 'again' })
    expect(record()).toMatchObject({ until, note: 'ModelErrorRatioCritical' })
    run(16 * MINUTE, 30)
    look({ request: 'once more' })
    expect(record()).toMatchObject({ state: 'moved', reason: 'requested', note: 'once more' })
    expect(results()).toEqual(['moved', 'returning', 'moved'])
  })
})
