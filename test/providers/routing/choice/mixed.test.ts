/** The choice among routes of different providers: what `choice.test.ts` shows one at a time, mixed, and the budgets. */

import { describe, expect, test } from 'vitest'
import type { Strategy } from '../../../../src/config/config.ts'
import { loadConfig } from '../../../../src/config/load.ts'
import { type Reason, TurnkeeperError } from '../../../../src/errors.ts'
import type { HealthState } from '../../../../src/providers/routing/breaker/states.ts'
import type { Standing } from '../../../../src/providers/routing/credentials/credentials.ts'
import { nextAttempt } from '../../../../src/providers/routing/next-attempt.ts'
import { createRouteTable } from '../../../../src/providers/routing/route-table.ts'
import { createRouter } from '../../../../src/providers/routing/router.ts'
import { fakeHealth, ROUTING } from '../scripted.ts'

type Provider = 'x' | 'y' | 'z'
const ROUTES = ['x/a', 'y/b', 'z/c'] as const

type Case = {
  /** States of x/a, y/b and z/c, as in `choice.test.ts`. */
  readonly states?: string
  readonly credentials?: Partial<Record<Provider, Standing>>
  /** Providers all of whose places are taken. */
  readonly full?: readonly Provider[]
  /** Routes that cannot do what is asked. */
  readonly unfit?: readonly string[]
  /** Why the caller may not use a provider, or has no time for it, in words. */
  readonly against?: Partial<Record<Provider, string>>
  readonly prices?: Readonly<Record<string, number>>
  readonly wait?: boolean
}

const STATES: Readonly<Record<string, HealthState>> = {
  c: 'closed',
  d: 'degraded',
  h: 'half_open',
  o: 'open',
}
const USABLE: Standing = { kind: 'usable' }
const RESTING: Standing = { kind: 'unusable', inMs: 5000, why: 'main rests for 5 s' }
const REFUSED: Standing = { kind: 'unusable', inMs: 60_000, why: 'main is open' }
const PREFIX = 'the key is for the prefix or'
const NO_TIME = 'it needs about 900 ms, and 100 ms are left'

async function stage(strategy: Strategy, one: Case) {
  const provider = { protocol: 'openai-chat', baseUrl: 'http://127.0.0.1:1/v1' }
  const table = createRouteTable(
    await loadConfig({
      providers: { x: provider, y: provider, z: provider },
      models: { coder: { strategy, routes: [...ROUTES] } },
    }),
  )
  const health = fakeHealth()
  for (const [i, letter] of [...(one.states ?? 'ccc')].entries()) {
    const state = STATES[letter] ?? 'closed'
    health.set(
      ROUTES[i] ?? '',
      state,
      state === 'closed' || state === 'degraded' ? undefined : 1000 * (i + 1),
    )
  }
  const router = createRouter({
    ...{ table, health },
    credentials: { standing: (name) => one.credentials?.[name as Provider] ?? { kind: 'keyless' } },
    places: { isFull: (name) => one.full?.includes(name as Provider) ?? false },
    priceOf: ({ name }) => one.prices?.[name],
  })
  const options = {
    unfit: new Map((one.unfit ?? []).map((route) => [route, new Error('lacks tools')] as const)),
    exclude: (route: { provider: string }) => one.against?.[route.provider as Provider],
    ...(one.wait && { whenAllOpen: 'wait' as const }),
  }
  return { router, health, options }
}

type Row = readonly [Strategy, Case, string, Readonly<Record<string, string>>]

const rows: readonly Row[] = [
  // credentials of one provider, and of the others
  [
    'first_healthy',
    { credentials: { x: RESTING } },
    'y/b z/c',
    { 'x/a': 'no usable credential: main rests' },
  ],
  ['first_healthy', { credentials: { x: RESTING, y: USABLE } }, 'y/b z/c', { 'y/b': 'closed; first' }],
  ['first_healthy', { credentials: { x: REFUSED, y: RESTING } }, 'z/c', { 'z/c': 'closed; first' }],
  ['first_available', { credentials: { x: REFUSED } }, 'y/b z/c', { 'x/a': 'main is open' }],
  ['best_effort', { credentials: { y: RESTING } }, 'x/a z/c', { 'y/b': 'main rests for 5 s' }],
  ['cheapest', { credentials: { y: RESTING }, prices: { 'y/b': 1, 'x/a': 2, 'z/c': 3 } }, 'x/a z/c', {}],
  ['first_healthy', { credentials: { x: REFUSED, y: RESTING, z: REFUSED } }, 'y/b', { 'y/b': 'last resort' }],
  ['first_healthy', { credentials: { x: REFUSED, y: RESTING, z: REFUSED }, wait: true }, '', {}],
  // credentials × states
  ['first_healthy', { credentials: { x: RESTING }, states: 'cod' }, 'z/c', { 'z/c': 'degraded; first' }],
  ['first_healthy', { credentials: { x: RESTING }, states: 'coo' }, 'y/b', { 'y/b': 'last resort' }],
  ['first_healthy', { credentials: { x: RESTING }, states: 'coo', wait: true }, '', { 'x/a': 'no usable' }],
  [
    'best_effort',
    { credentials: { x: RESTING }, states: 'coh' },
    'z/c y/b',
    { 'y/b': 'after half_open ones' },
  ],
  // places
  ['first_healthy', { full: ['x'] }, 'y/b z/c x/a', { 'x/a': 'all places of x are taken' }],
  ['first_healthy', { full: ['x'], states: 'cdd' }, 'x/a y/b z/c', { 'y/b': 'degraded; after closed ones' }],
  ['first_available', { full: ['x', 'y'], states: 'cco' }, 'z/c x/a y/b', { 'z/c': 'open' }],
  ['cheapest', { full: ['z'], prices: { 'x/a': 3, 'y/b': 2, 'z/c': 1 } }, 'y/b x/a z/c', {}],
  // prefixes and keys of callers
  ['first_healthy', { against: { x: PREFIX, y: PREFIX } }, 'z/c', { 'x/a': `excluded: ${PREFIX}` }],
  ['first_healthy', { against: { x: PREFIX }, states: 'coc' }, 'z/c', { 'y/b': 'open' }],
  ['first_healthy', { against: { x: PREFIX }, states: 'coo' }, 'y/b', { 'y/b': 'last resort' }],
  ['best_effort', { against: { z: PREFIX }, states: 'ooc' }, 'x/a y/b', { 'z/c': `excluded: ${PREFIX}` }],
  ['first_available', { against: { x: PREFIX, y: PREFIX, z: PREFIX } }, '', { 'y/b': `excluded: ${PREFIX}` }],
  ['cheapest', { against: { y: PREFIX }, prices: { 'y/b': 1, 'z/c': 2 } }, 'z/c x/a', { 'z/c': 'by price' }],
  ['first_healthy', { against: { x: PREFIX }, credentials: { y: RESTING } }, 'z/c', { 'y/b': 'no usable' }],
  // capabilities
  ['first_healthy', { unfit: ['x/a'], credentials: { y: REFUSED } }, 'z/c', { 'x/a': 'lacks tools' }],
  ['first_healthy', { unfit: ['x/a', 'z/c'], states: 'coc' }, 'y/b', { 'y/b': 'last resort' }],
  ['first_healthy', { unfit: ['x/a', 'z/c'], states: 'coc', wait: true }, '', { 'z/c': 'cannot serve' }],
  ['first_healthy', { unfit: ['x/a'], against: { y: PREFIX }, full: ['z'] }, 'z/c', { 'z/c': 'all places' }],
  // the time that is left of a call
  ['first_healthy', { against: { x: NO_TIME } }, 'y/b z/c', { 'x/a': `excluded: ${NO_TIME}` }],
  ['first_healthy', { against: { x: NO_TIME }, states: 'cdd' }, 'y/b z/c', { 'y/b': 'degraded; first' }],
  ['fastest', { against: { x: NO_TIME, y: NO_TIME, z: NO_TIME } }, '', { 'z/c': NO_TIME }],
]

describe('the choice among providers', () => {
  test.each(rows.map((row) => [row[0], JSON.stringify(row[1]), row[2] || 'none', row] as const))(
    '%s with %s tries %s',
    async (_strategy, _text, _order, [strategy, one, expected, reasons]) => {
      const { router, options } = await stage(strategy, one)
      const choice = router.choose('coder', options)
      const tried = choice.kind === 'routes' ? choice.candidates.map(({ route }) => route.name) : []
      expect(tried.join(' ')).toBe(expected)
      const candidates = router.explain('coder', options)?.candidates ?? []
      expect(candidates).toHaveLength(3)
      expect(candidates.filter(({ chosen }) => chosen).map(({ route }) => route)).toEqual(tried.slice(0, 1))
      for (const { reason } of candidates) expect(reason).not.toBe('')
      for (const [route, words] of Object.entries(reasons)) {
        expect(candidates.find((one) => one.route === route)?.reason).toContain(words)
      }
    },
  )
})

type BudgetCase = Case & {
  readonly isSpent: boolean
  readonly reason?: Reason
  /** Routes that the call has tried; the last one has failed now. Default: x/a. */
  readonly tried?: readonly string[]
  readonly canRotate?: boolean
}

describe('the route after a failure, by the retry budget', () => {
  test.each<readonly [string, BudgetCase, string]>([
    ['money for a retry', { isSpent: false }, 'retry'],
    ['money for a move after the retry', { isSpent: false, tried: ['x/a', 'x/a'] }, 'reroute y/b'],
    [
      'money for a move to a worse route',
      { isSpent: false, tried: ['x/a', 'x/a'], states: 'cdo' },
      'reroute y/b',
    ],
    ['none: moves once to a route that is as good', { isSpent: true }, 'reroute y/b'],
    ['none: passes over the degraded one', { isSpent: true, states: 'cdc' }, 'reroute z/c'],
    [
      'none: a degraded one is good enough for a degraded one',
      { isSpent: true, states: 'ddd' },
      'reroute y/b',
    ],
    ['none: not to a worse one', { isSpent: true, states: 'cdd' }, 'stop, budget spent'],
    ['none: not to an open one', { isSpent: true, states: 'coo' }, 'stop, budget spent'],
    ['none: not a second time', { isSpent: true, tried: ['x/a', 'y/b'] }, 'stop, budget spent'],
    [
      'none: past a provider whose credentials rest',
      { isSpent: true, credentials: { y: RESTING } },
      'reroute z/c',
    ],
    [
      'none: past a provider that the key may not use',
      { isSpent: true, against: { y: PREFIX } },
      'reroute z/c',
    ],
    ['none: past a route that cannot serve', { isSpent: true, unfit: ['y/b'] }, 'reroute z/c'],
    ['none: to the one with room', { isSpent: true, full: ['y'] }, 'reroute z/c'],
    [
      'none: another credential is free',
      { isSpent: true, reason: 'rate_limited', canRotate: true },
      'rotate',
    ],
    ['none: what is wrong anywhere stops', { isSpent: true, reason: 'invalid_request' }, 'stop'],
    ['money, but what is wrong anywhere stops', { isSpent: false, reason: 'too_large' }, 'stop'],
    ['money, but all attempts are used up', { isSpent: false, tried: ['x/a', 'x/a', 'y/b', 'y/b'] }, 'stop'],
  ])(
    '%s',
    async (_what, {
      isSpent,
      reason = 'server_error',
      tried = ['x/a'],
      canRotate = false,
      ...one
    }, expected) => {
      const { router, health, options } = await stage('first_healthy', one)
      const failedRoute = tried.at(-1) ?? ''
      const [provider = '', model = ''] = failedRoute.split('/')
      const next = nextAttempt(
        {
          error: new TurnkeeperError(reason, 'failed'),
          isCommitted: false,
          candidate: { route: { name: failedRoute, provider, model }, health: health.view(failedRoute) },
          attempts: tried.map((route) => ({ route })),
          canRotate,
        },
        { config: ROUTING, choice: router.choose('coder', options), random: () => 0, isBudgetSpent: isSpent },
      )
      const text = next.type === 'reroute' ? `reroute ${next.to.route.name}` : next.type
      expect(next.type === 'stop' && next.isBudgetSpent ? 'stop, budget spent' : text).toBe(expected)
    },
  )
})
