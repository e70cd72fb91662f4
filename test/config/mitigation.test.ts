import { describe, expect, test } from 'vitest'
import { secretValues } from '../../src/config/describe.ts'
import { loadConfig } from '../../src/config/load.ts'

const providers = { p: { protocol: 'openai-chat', baseUrl: 'http://127.0.0.1:1/v1' } }
const alias = (fallback?: string, more: object = {}) => ({
  routes: ['p/m'],
  ...(fallback !== undefined && { mitigation: { fallback, ...more } }),
})
const load = (models: object, more: object = {}) => loadConfig({ providers, models, ...more }, { env: {} })
const refusal = (models: object, more: object = {}): Promise<string> =>
  load(models, more).then(
    () => 'accepted',
    (error: Error) => error.message,
  )

describe('the mitigation of an alias in the configuration', () => {
  test('comes as it is written, with defaults for what is left out', async () => {
    const { models } = await load({
      a: alias('b', {
        warn: 0.01,
        critical: 0.1,
        window: '1m',
        minAttempts: 5,
        hold: '2m',
      }),
      b: alias('c'),
      c: alias(),
    })
    expect(models.a?.mitigation).toEqual({
      fallback: 'b',
      warn: 0.01,
      critical: 0.1,
      windowMs: 60_000,
      minAttempts: 5,
      holdMs: 120_000,
    })
    expect(models.b?.mitigation).toEqual({
      fallback: 'c',
      warn: 0.02,
      critical: 0.05,
      windowMs: 600_000,
      minAttempts: 20,
      holdMs: 900_000,
    })
    expect(models.c).not.toHaveProperty('mitigation')
  })

  test.each([
    [
      'a fallback that is not there',
      { safe: alias(), a: alias('saef') },
      'no alias is named "saef", did you mean "safe"?',
    ],
    [
      'a route as a fallback',
      { a: alias('p/other') },
      'models.a.mitigation.fallback: no alias is named "p/other" (configured: a)',
    ],
    ['itself as a fallback', { a: alias('a') }, 'the fallbacks go in a circle: a → a'],
    [
      'fallbacks that go in a circle',
      { a: alias('b'), b: alias('c'), c: alias('a') },
      'models.b.mitigation.fallback: the fallbacks go in a circle: b → c → a → b',
    ],
    ['a mitigation without a fallback', { a: { routes: ['p/m'], mitigation: {} } }, 'the alias to move to'],
    [
      'a warning over the critical share',
      { a: alias('b', { warn: 0.2 }), b: alias() },
      'models.a.mitigation: expected "warn" not to be over "critical"',
    ],
    ['an unknown key', { a: alias('b', { fall: 1 }), b: alias() }, 'models.a.mitigation.fall: unknown key'],
    ['no attempts at all', { a: alias('b', { minAttempts: 0 }), b: alias() }, 'a whole number from 1 up'],
    [
      'a hold of nothing',
      { a: alias('b', { hold: '0s' }), b: alias() },
      'models.a.mitigation.hold: expected a duration',
    ],
  ])('%s is refused', async (_what, models, message) => {
    expect(await refusal(models)).toContain(message)
  })

  test('a circle further on is told of the aliases in it alone', async () => {
    const message = await refusal({ a: alias('b'), b: alias('c'), c: alias('b') })
    expect(message).toContain('models.b.mitigation.fallback')
    expect(message).not.toContain('models.a.')
  })
})

describe('the token of alerts', () => {
  test('is a secret that no output shows, and absent where the variable is empty', async () => {
    const config = await load({}, { server: { alertToken: 'a-token-of-sixteen' } })
    expect(config.server.alertToken?.reveal()).toBe('a-token-of-sixteen')
    expect(JSON.stringify(config)).not.toContain('sixteen')
    expect(secretValues(config)).toContain('a-token-of-sixteen')
    const none = await load({}, { server: { alertToken: '$' + '{ALERT_TOKEN:-}' } })
    expect(none.server).not.toHaveProperty('alertToken')
  })

  test('that could be guessed is refused, and not shown', async () => {
    const message = await refusal({}, { server: { alertToken: 'short' } })
    expect(message).toMatch(/server\.alertToken: expected at least 16 characters .* got text of 5 characters/)
  })
})
