import { describe, expect, test } from 'vitest'
import { createRouter } from '../../../src/providers/routing/router.ts'
import { fakeHealth, tableOf } from './scripted.ts'

const ROUTES = ['p/a', 'p/b', 'p/c']

function stage(strategy: 'first_healthy' | 'first_available' = 'first_healthy') {
  const health = fakeHealth()
  const router = createRouter({ table: tableOf(ROUTES, strategy), health })
  const names = (model = 'coder') => {
    const choice = router.choose(model)
    return choice.kind === 'routes' ? choice.candidates.map(({ route }) => route.name) : choice
  }
  return { health, router, names }
}

describe('first_healthy', () => {
  test('takes routes in configured order while all are closed', () => {
    expect(stage().names()).toEqual(ROUTES)
  })

  test('puts closed routes before degraded ones and passes over open and half-open ones', () => {
    const { health, names } = stage()
    health.set('p/a', 'degraded')
    expect(names()).toEqual(['p/b', 'p/c', 'p/a'])
    health.set('p/b', 'open', 1000)
    expect(names()).toEqual(['p/c', 'p/a'])
    health.set('p/c', 'half_open', 1000)
    expect(names()).toEqual(['p/a'])
  })

  test('with every route open, offers the one that is probed first, as a last resort', () => {
    const { health, router } = stage()
    health.set('p/a', 'open', 3000)
    health.set('p/b', 'open', 1000)
    health.set('p/c', 'half_open', 2000)
    expect(router.choose('coder')).toMatchObject({
      kind: 'routes',
      isLastResort: true,
      candidates: [{ route: { name: 'p/b' } }],
    })
    expect(router.choose('coder', { whenAllOpen: 'wait' })).toEqual({
      kind: 'none',
      reason: 'breaker_open',
      nextProbeInMs: 1000,
    })
  })
})

test('first_available keeps the configured order, whatever health says', () => {
  const { health, names } = stage('first_available')
  health.set('p/a', 'open', 1000)
  health.set('p/b', 'degraded')
  expect(names()).toEqual(ROUTES)
})

describe('what may be asked for', () => {
  test('is an alias, a configured route, or any model of an enabled provider', () => {
    const { names } = stage()
    expect(names('p/b')).toEqual(['p/b'])
    expect(names('p/some/new-model')).toEqual(['p/some/new-model'])
  })

  test.each(['unknown', 'off/m', 'nobody/m', 'p/', '/m', '', '__proto__', 'toString'])(
    'is not %j',
    (model) => {
      expect(stage().names(model)).toEqual({ kind: 'none', reason: 'no_route' })
    },
  )

  test('has only configured names for labels', () => {
    const table = tableOf(ROUTES)
    expect(table.labels({ name: 'p/x', provider: 'p', model: 'x' })).toEqual({
      route: 'p/other',
      provider: 'p',
      model: 'other',
    })
    expect(['coder', 'p/a', 'p/x', 'junk'].map(table.aliasLabel)).toEqual(['coder', 'p/a', 'other', 'other'])
  })
})
