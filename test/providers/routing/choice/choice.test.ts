import { describe, expect, test } from 'vitest'
import type { Strategy } from '../../../../src/config/config.ts'
import type { RouteHealth } from '../../../../src/providers/routing/breaker/mirror.ts'
import type { HealthState } from '../../../../src/providers/routing/breaker/states.ts'
import type { Standing } from '../../../../src/providers/routing/credentials/credentials.ts'
import { type ChooseOptions, createRouter } from '../../../../src/providers/routing/router.ts'
import { fakeHealth, tableOf } from '../scripted.ts'

/** What is special about a case; all else is closed, keyless and unlimited. */
type Case = {
  /** States of a, b and c: c(losed), d(egraded), h(alf-open), o(pen). */
  readonly states?: string
  readonly forced?: Readonly<Record<string, 'open' | 'closed'>>
  /** Models that cannot serve the request. */
  readonly unfit?: readonly string[]
  /** Models that the caller may not use. */
  readonly excluded?: readonly string[]
  readonly credential?: Standing
  readonly isFull?: boolean
  readonly prices?: Readonly<Record<string, number>>
  readonly slowness?: Readonly<Record<string, number>>
  readonly weights?: Readonly<Record<string, number>>
  readonly random?: number
  readonly call?: ChooseOptions['whenAllOpen']
  readonly model?: string
}

const STATES: Readonly<Record<string, HealthState>> = {
  c: 'closed',
  d: 'degraded',
  h: 'half_open',
  o: 'open',
}
const RESTING: Standing = { kind: 'unusable', inMs: 30_000, why: 'main rests for 30 s' }
const OPENED: Standing = { kind: 'unusable', inMs: 60_000, why: 'main is open' }

function stage(strategy: Strategy, one: Case) {
  const health = fakeHealth()
  for (const [i, letter] of [...(one.states ?? 'ccc')].entries()) {
    const name = `p/${'abc'[i]}`
    const state = STATES[letter] ?? 'closed'
    const forced = one.forced?.['abc'[i] ?? '']
    const probe = state === 'open' || state === 'half_open' ? 1000 * (3 - i) : undefined
    const more: Partial<RouteHealth> = {
      ...(state === 'open' && { reason: 'html' as const }),
      ...(forced && { forced, note: 'ada: tests' }),
    }
    health.set(name, state, probe, more)
  }
  const lookUp =
    (values?: Readonly<Record<string, number>>) =>
    ({ model }: { model: string }) =>
      values?.[model]
  const weights = Object.fromEntries(Object.entries(one.weights ?? {}).map(([k, v]) => [`p/${k}`, v]))
  return createRouter({
    table: tableOf(['p/a', 'p/b', 'p/c'], strategy, weights),
    health,
    credentials: { standing: () => one.credential ?? { kind: 'keyless' } },
    places: { isFull: () => one.isFull ?? false },
    priceOf: lookUp(one.prices),
    slownessOf: (route) => lookUp(one.slowness)(route) ?? 0,
    random: () => one.random ?? 0.5,
  })
}

function optionsOf({ unfit = [], excluded = [], call }: Case): ChooseOptions {
  const lacks = new Error('lacks vision')
  return {
    unfit: new Map(unfit.map((model) => [`p/${model}`, lacks])),
    exclude: ({ model }) => (excluded.includes(model) ? 'the key is not for it' : undefined),
    ...(call && { whenAllOpen: call }),
  }
}

/** Strategy, what is special, the models in the order in which they are tried, and words of some reasons. */
type Row = readonly [Strategy, Case, string, Readonly<Record<string, string>>]

const HEALTHY: Strategy[] = ['first_healthy', 'best_effort', 'cheapest', 'fastest']
const ALL: Strategy[] = ['first_available', ...HEALTHY]
const PASSING: Strategy[] = ['first_healthy', 'cheapest', 'fastest']
const each = (strategies: readonly Strategy[], row: (strategy: Strategy) => Row): Row[] => strategies.map(row)

const rows: Row[] = [
  // health
  ...each(ALL, (s) => [s, {}, 'abc', { a: 'closed; first by' }]),
  ...each(HEALTHY, (s) => [
    s,
    { states: 'dcc' },
    'bca',
    { a: 'degraded; after closed ones', b: 'closed; first' },
  ]),
  [
    'first_available',
    { states: 'dcc' },
    'abc',
    { a: 'degraded; first by configured order, whatever health says' },
  ],
  ...each(PASSING, (s) => [s, { states: 'occ' }, 'bc', { a: 'open (html), next probe in 3 s' }]),
  ['first_available', { states: 'occ' }, 'abc', { a: 'open (html), next probe in 3 s; first' }],
  ['best_effort', { states: 'occ' }, 'bca', { a: 'open (html), next probe in 3 s; after closed ones' }],
  ['best_effort', { states: 'ohd' }, 'cba', { a: 'after half_open ones', b: 'after degraded ones' }],
  ...each(PASSING, (s) => [s, { states: 'hcc' }, 'bc', { a: 'half_open, next probe in 3 s' }]),
  ...each(PASSING, (s) => [s, { states: 'ooo' }, 'c', { c: 'last resort, since no route is usable: open' }]),
  ...each(PASSING, (s) => [s, { states: 'ooo', call: 'wait' }, '', { c: 'open (html), next probe in 1 s' }]),
  ...each(['best_effort', 'first_available'] as const, (s) => [
    s,
    { states: 'ooo', call: 'wait' },
    '',
    { a: 'a queued call waits for the probe' },
  ]),
  ['best_effort', { states: 'ooo' }, 'abc', { a: 'first by configured order' }],
  ['first_healthy', { states: 'ood', call: 'wait' }, 'c', { c: 'degraded; first' }],
  // forced
  ...each(ALL, (s) => [
    s,
    { states: 'occ', forced: { a: 'open' } },
    'bc',
    { a: 'forced open by ada: tests' },
  ]),
  ['first_healthy', { states: 'ooo', forced: { a: 'open', b: 'open', c: 'open' } }, '', { c: 'forced open' }],
  [
    'best_effort',
    { states: 'ooo', forced: { c: 'open' } },
    'ab',
    { c: 'forced open by ada: tests, next probe in 1 s' },
  ],
  ['first_healthy', { states: 'ooo', forced: { c: 'open' } }, 'b', { b: 'last resort', c: 'forced open' }],
  ['first_healthy', { forced: { b: 'closed' } }, 'abc', { b: 'forced closed by ada: tests; number 2' }],
  // capabilities
  ...each(ALL, (s) => [s, { unfit: ['a'] }, 'bc', { a: 'cannot serve this request: lacks vision' }]),
  ['first_healthy', { unfit: ['a', 'b', 'c'] }, '', { c: 'cannot serve this request' }],
  ['first_healthy', { unfit: ['a'], states: 'coo' }, 'c', { c: 'last resort', b: 'open (html)' }],
  // keys, prefixes, exclusions
  ...each(ALL, (s) => [s, { excluded: ['b'] }, 'ac', { b: 'excluded: the key is not for it' }]),
  ['first_available', { excluded: ['a', 'b', 'c'] }, '', { a: 'excluded' }],
  // credentials
  ...each(ALL, (s) => [
    s,
    { credential: RESTING },
    'a',
    { a: 'last resort', b: 'no usable credential: main rests' },
  ]),
  [
    'first_healthy',
    { credential: RESTING, call: 'wait' },
    '',
    { a: 'no usable credential: main rests for 30 s' },
  ],
  ['first_healthy', { credential: OPENED }, 'a', { b: 'no usable credential: main is open' }],
  ['first_healthy', { credential: { kind: 'usable' } }, 'abc', { a: 'closed; first' }],
  // places
  ...each(ALL, (s) => [s, { isFull: true }, 'abc', { a: 'closed, but all places of p are taken' }]),
  // price and speed
  ['cheapest', { prices: { a: 3, b: 1, c: 2 } }, 'bca', { b: 'first by price', c: 'number 2 by price' }],
  ['cheapest', { prices: { a: 3, b: 1 } }, 'bac', { c: 'number 3 by price' }],
  ['cheapest', { prices: { a: 3, b: 1, c: 2 }, states: 'cdc' }, 'cab', { b: 'degraded; after closed ones' }],
  ['cheapest', { prices: { a: 3, b: 1, c: 2 }, states: 'coc' }, 'ca', { b: 'open' }],
  ['cheapest', { prices: { b: 1, c: 1 } }, 'bca', { b: 'first by price' }],
  ['fastest', { slowness: { a: 900, b: 500, c: 100 } }, 'cba', { c: 'first by time to first content' }],
  ['fastest', { slowness: { a: 900, b: 500 } }, 'cba', { c: 'first by time' }],
  ['fastest', { slowness: { a: 900, b: 500, c: 100 }, states: 'ccd' }, 'bac', { c: 'after closed ones' }],
  ['first_healthy', { prices: { a: 3, b: 1 }, slowness: { a: 9, b: 1 } }, 'abc', { a: 'configured order' }],
  // weights: random 0.5 gives each the key 0.5^(1/weight), so that the heavier comes first
  ['first_healthy', { weights: { a: 1, b: 3, c: 2 } }, 'bca', { b: 'first by configured order, weight 3' }],
  ['first_healthy', { weights: { b: 1, c: 2 } }, 'acb', { a: 'closed; first', c: 'weight 2' }],
  ['first_healthy', { weights: { b: 1 } }, 'abc', { b: 'weight 1' }],
  ['first_healthy', { weights: { a: 1, c: 9 } }, 'abc', { c: 'weight 9' }],
  [
    'best_effort',
    { weights: { a: 1, b: 3 }, states: 'cdc' },
    'acb',
    { b: 'degraded; after closed ones, weight 3' },
  ],
  ['first_available', { weights: { a: 1, b: 3, c: 9 } }, 'cba', { c: 'first' }],
  // names
  ['first_healthy', { model: 'p/b' }, 'b', { b: 'closed; first' }],
  ['cheapest', { model: 'p/b', states: 'coc' }, 'b', { b: 'last resort, since no route is usable' }],
]

describe('the choice of a route, with its reasons', () => {
  test('has at least sixty cases', () => expect(rows.length).toBeGreaterThanOrEqual(60))

  test.each(rows.map((row) => [row[0], JSON.stringify(row[1]), row[2] || 'none', row] as const))(
    '%s with %s tries %s',
    (_strategy, _text, _order, [strategy, one, expected, reasons]) => {
      const router = stage(strategy, one)
      const { model = 'coder' } = one
      const choice = router.choose(model, optionsOf(one))
      const tried = choice.kind === 'routes' ? choice.candidates.map(({ route }) => route.model).join('') : ''
      expect(tried).toBe(expected)

      const explained = router.explain(model, optionsOf(one))
      const candidates = explained?.candidates ?? []
      expect(candidates.find(({ chosen }) => chosen)?.route).toBe(
        expected === '' ? undefined : `p/${expected[0]}`,
      )
      expect(
        candidates
          .slice(0, tried.length)
          .map(({ route }) => route.slice(2))
          .join(''),
      ).toBe(expected)
      for (const [name, words] of Object.entries(reasons)) {
        expect(candidates.find(({ route }) => route === `p/${name}`)?.reason).toContain(words)
      }
      for (const { reason } of candidates) expect(reason).not.toBe('')
    },
  )

  test('a name that leads nowhere has no explanation', () => {
    expect(stage('first_healthy', {}).explain('nobody')).toBeUndefined()
    expect(stage('first_healthy', {}).choose('nobody')).toEqual({ kind: 'none', reason: 'no_route' })
  })

  test('a queued call is told when to look again: at the next probe, or when a credential has rested', () => {
    const wait = { whenAllOpen: 'wait' as const }
    expect(stage('first_healthy', { states: 'ooo' }).choose('coder', wait)).toMatchObject({
      nextProbeInMs: 1000,
    })
    expect(stage('first_healthy', { credential: RESTING }).choose('coder', wait)).toMatchObject({
      nextProbeInMs: 30_000,
    })
  })

  test('weights split the traffic of neighbours in their proportion', () => {
    const counts = new Map<string, number>()
    let seed = 7
    const random = (): number => {
      seed = (seed * 48_271) % 2_147_483_647
      return seed / 2_147_483_647
    }
    const router = createRouter({
      table: tableOf(['p/a', 'p/b'], 'first_healthy', { 'p/a': 3, 'p/b': 1 }),
      health: fakeHealth(),
      random,
    })
    for (let i = 0; i < 4000; i++) {
      const choice = router.choose('coder')
      const first = choice.kind === 'routes' ? choice.candidates[0].route.model : ''
      counts.set(first, (counts.get(first) ?? 0) + 1)
    }
    expect((counts.get('a') ?? 0) / 4000).toBeCloseTo(0.75, 1)
  })
})
