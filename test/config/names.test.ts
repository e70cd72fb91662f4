import { describe, expect, test } from 'vitest'
import { loadConfig } from '../../src/config/load.ts'
import { excludedBy, matchesPattern } from '../../src/config/patterns.ts'
import { createRouteTable } from '../../src/providers/routing/route-table.ts'

const provider = { protocol: 'openai-chat', baseUrl: 'http://127.0.0.1:1/v1' }
const load = (config: object) => loadConfig(config, { env: {} })

describe('a pattern', () => {
  test.each([
    ['*', 'anything/at:all', true],
    ['*:free', 'z-ai/glm-4.6:free', true],
    ['*:free', 'z-ai/glm-4.6', false],
    ['z-ai/*', 'z-ai/glm-4.6', true],
    ['z-ai/*', 'Z-ai/glm-4.6', false],
    ['a*b*c', 'abc', true],
    ['a*b*c', 'a-b-b-c', true],
    ['a*b*c', 'acb', false],
    ['ab*ba', 'aba', false],
    ['a*a*a', 'aa', false],
    ['gpt-5.mini', 'gpt-5-mini', false],
    ['', '', true],
    ['**', 'x', true],
  ])('%s on %s: %s', (pattern, text, fits) => expect(matchesPattern(pattern, text)).toBe(fits))

  test('takes no long time over a hostile name', () => {
    const startedAt = performance.now()
    expect(matchesPattern(`${'*a'.repeat(40)}b`, 'a'.repeat(200_000))).toBe(false)
    expect(performance.now() - startedAt).toBeLessThan(2_000)
  })

  test('is named where it keeps something out', () => {
    const patterns = { include: ['z-ai/*'], exclude: ['*:free'] }
    expect(excludedBy(patterns, 'z-ai/glm')).toBeUndefined()
    expect(excludedBy(patterns, 'z-ai/glm:free')).toBe('exclude "*:free"')
    expect(excludedBy(patterns, 'other/glm')).toBe('not in include ["z-ai/*"]')
  })
})

describe('what is refused at load, with its path and what to do', () => {
  const openrouter = { ...provider, prefix: 'or', models: { exclude: ['*:free'] } }
  test.each<[string, object, string]>([
    [
      'an alias that a prefix and a model could be',
      { providers: { openrouter }, models: { 'or/glm': { routes: ['openrouter/glm'] } } },
      'models.or/glm: the alias would hide a route of openrouter, whose prefix is or: choose a name that begins otherwise',
    ],
    [
      'an alias with the name of its own route',
      { providers: { openrouter }, models: { 'openrouter/glm': { routes: ['openrouter/glm'] } } },
      'models.openrouter/glm: the alias would hide a route of the provider openrouter',
    ],
    [
      'a prefix of two providers',
      { providers: { openrouter, other: { ...provider, prefix: 'or' } } },
      'providers.other.prefix: "or" is the prefix of openrouter already: choose another one',
    ],
    [
      'a prefix that is the name of another provider',
      { providers: { openrouter, or: provider } },
      'providers.openrouter.prefix: "or" is the name of another provider: choose another prefix',
    ],
    [
      'a route by its prefix',
      { providers: { openrouter }, models: { coder: { routes: ['or/z-ai/glm'] } } },
      'models.coder.routes[0]: "or" is the prefix of openrouter: write openrouter/z-ai/glm',
    ],
    [
      'a route that its own provider keeps out',
      { providers: { openrouter }, models: { coder: { routes: ['openrouter/a', 'openrouter/glm:free'] } } },
      'models.coder.routes[1]: openrouter/glm:free is kept out by providers.openrouter.models (exclude "*:free"): change that, or take the route away',
    ],
    [
      'a prefix with a slash',
      { providers: { openrouter: { ...provider, prefix: 'a/b' } } },
      'providers.openrouter.prefix: expected a name',
    ],
    [
      'a pattern that is no text',
      { providers: { openrouter: { ...provider, models: { include: [7] } } } },
      'providers.openrouter.models.include[0]: expected a pattern over names of models',
    ],
  ])('%s', async (_what, config, message) => {
    await expect(load(config)).rejects.toMatchObject({
      code: 'config/invalid_config',
      message: expect.stringContaining(message),
    })
  })

  test('a prefix that is the own name is none of it', async () => {
    await expect(load({ providers: { or: { ...provider, prefix: 'or' } } })).resolves.toBeDefined()
  })
})

describe('a name that a client writes', () => {
  const tableOf = async (forceModelPrefix: boolean) =>
    createRouteTable(
      await load({
        providers: {
          openrouter: { ...provider, prefix: 'or', models: { include: ['*'], exclude: ['*:free'] } },
          local: provider,
          off: { ...provider, enabled: false, prefix: 'o' },
        },
        models: { coder: { routes: ['openrouter/glm', 'local/qwen'] } },
        routing: { forceModelPrefix },
      }),
    )

  /** What a name leads to, without and with `forceModelPrefix`. */
  test.each<[string, readonly string[] | undefined, readonly string[] | undefined]>([
    ['coder', ['openrouter/glm', 'local/qwen'], ['openrouter/glm', 'local/qwen']],
    ['or/glm', ['openrouter/glm'], ['openrouter/glm']],
    ['or/z-ai/glm-4.6', ['openrouter/z-ai/glm-4.6'], ['openrouter/z-ai/glm-4.6']],
    ['openrouter/glm', ['openrouter/glm'], undefined],
    ['local/qwen', ['local/qwen'], ['local/qwen']],
    ['or/glm:free', undefined, undefined],
    ['openrouter/glm:free', undefined, undefined],
    ['o/x', undefined, undefined],
    ['or/', undefined, undefined],
    ['or', undefined, undefined],
    ['/x', undefined, undefined],
    ['nobody/x', undefined, undefined],
    ['__proto__/x', undefined, undefined],
  ])('%s leads to %j, with forced prefixes to %j', async (name, free, forced) => {
    const routesOf = async (isForced: boolean) =>
      (await tableOf(isForced)).find(name)?.routes.map((route) => route.name)
    expect(await routesOf(false)).toEqual(free)
    expect(await routesOf(true)).toEqual(forced)
  })

  test('counts under the label of the configured route that it means', async () => {
    const table = await tableOf(false)
    expect(table.aliasLabel('or/glm')).toBe('openrouter/glm')
    expect(table.aliasLabel('or/anything')).toBe('other')
    expect(table.aliasLabel('coder')).toBe('coder')
  })
})
