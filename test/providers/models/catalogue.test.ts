import { describe, expect, test } from 'vitest'
import type { ProviderConfig, RouteConfig } from '../../../src/config/config.ts'
import { TurnkeeperError } from '../../../src/errors.ts'
import { createModelCatalogue, onlyProvider } from '../../../src/providers/models/catalogue.ts'
import type { ModelInfo } from '../../../src/providers/models/model-info.ts'

const HOUR_MS = 3_600_000

/** A Redis of two commands. */
function fakeRedis() {
  const kept = new Map<string, string>()
  return {
    kept,
    get: async (key: string) => kept.get(key) ?? null,
    set: async (key: string, value: string) => {
      kept.set(key, value)
      return 'OK' as const
    },
  }
}

function stage({ redis = fakeRedis(), routes = [] as RouteConfig[] } = {}) {
  const offers: Record<string, readonly ModelInfo[]> = {
    openai: [{ id: 'gpt-5-mini' }, { id: 'both' }],
    or: [{ id: 'z-ai/glm-4.6', contextWindow: 7000 }, { id: 'both' }],
  }
  const fetched: string[] = []
  let nowMs = 1_000_000
  const provider = (name: string, more: object = {}) => ({
    name,
    enabled: true,
    protocol: 'openai-chat',
    models: { include: ['*'], exclude: ['*:free'] },
    ...more,
  })
  const catalogue = createModelCatalogue({
    // A catalogue reads nothing else of a provider.
    providers: {
      openai: provider('openai', { dialect: 'openai' }),
      or: provider('or', { dialect: 'openrouter' }),
      off: provider('off', { enabled: false }),
    } as unknown as Record<string, ProviderConfig>,
    routes,
    redis: redis as never, // the two commands that it uses
    prefix: 'p',
    now: () => nowMs,
    async fetchList({ name }) {
      fetched.push(name)
      const models = offers[name]
      if (models === undefined) throw new TurnkeeperError('connection', 'away')
      return models
    },
  })
  const pass = (ms: number): void => {
    nowMs += ms
  }
  return { catalogue, fetched, offers, pass, redis }
}

describe('a list', () => {
  test('is fetched when somebody asks, of enabled providers alone, and then kept', async () => {
    const { catalogue, fetched } = stage()
    const lists = await catalogue.list()
    expect(lists.map(({ provider, models }) => [provider, models.length])).toEqual([
      ['openai', 2],
      ['or', 2],
    ])
    await catalogue.list()
    expect(fetched).toEqual(['openai', 'or'])
  })

  test('is fetched anew when it is old, or when asked to', async () => {
    const { catalogue, fetched, pass } = stage()
    await catalogue.list()
    pass(7 * HOUR_MS)
    await catalogue.list()
    await catalogue.list({ refresh: true })
    expect(fetched).toHaveLength(6)
  })

  test('is shared with other processes through Redis', async () => {
    const redis = fakeRedis()
    await stage({ redis }).catalogue.list()
    const other = stage({ redis })
    await other.catalogue.load()
    expect(other.catalogue.find({ provider: 'or', model: 'z-ai/glm-4.6' }).contextWindow).toBe(7000)
    await other.catalogue.list()
    expect(other.fetched).toEqual([])
  })

  test('stays when its provider is away, which is told and tried again after a minute', async () => {
    const { catalogue, fetched, offers, pass } = stage()
    await catalogue.list()
    delete offers.or
    const lists = await catalogue.list({ refresh: true })
    expect(lists[1]).toMatchObject({ provider: 'or', error: { code: 'network/connection' } })
    expect(lists[1]?.models).toHaveLength(2)
    await catalogue.list()
    expect(fetched).toHaveLength(4)
    pass(61_000)
    await catalogue.list()
    expect(fetched.slice(4)).toEqual(['or'])
  })

  test('that somebody else wrote into Redis is as if it were not there', async () => {
    const redis = fakeRedis()
    redis.kept.set('p:models:or', '{"fetchedAt":"yesterday"')
    await expect(stage({ redis }).catalogue.load()).resolves.toBeUndefined()
  })
})

test('a list comes before the table, and the table has prices only for the vendors themselves', async () => {
  const { catalogue } = stage()
  await catalogue.list()
  expect(catalogue.find({ provider: 'or', model: 'z-ai/glm-4.6' })).toMatchObject({
    contextWindow: 7000,
    vision: false,
  })
  expect(catalogue.find({ provider: 'openai', model: 'gpt-5-mini' }).price).toEqual({
    inputUsd: 0.25,
    cachedInputUsd: 0.025,
    outputUsd: 2,
  })
  expect(catalogue.find({ provider: 'or', model: 'openai/gpt-5-mini' }).price).toBeUndefined()
})

describe('a bare name', () => {
  test('of a model that is kept out by a pattern is offered by nobody, and stands in no list', async () => {
    const { catalogue, offers } = stage()
    offers.or = [{ id: 'glm:free' }, { id: 'glm' }]
    expect(await catalogue.providersOf('glm:free')).toEqual([])
    const listed = (await catalogue.list()).find(({ provider }) => provider === 'or')?.models
    expect(listed?.map(({ id }) => id)).toEqual(['glm'])
  })

  const route = { name: 'or/mine', provider: 'or', model: 'mine' }

  test('means the one provider that lists it, or has it as a configured route', async () => {
    const { catalogue } = stage({ routes: [route] })
    expect(await catalogue.providersOf('gpt-5-mini')).toEqual(['openai'])
    expect(await catalogue.providersOf('mine')).toEqual(['or'])
    expect(await catalogue.providersOf('nobody-has-this')).toEqual([])
  })

  test('that several have is an error which lists them', async () => {
    const candidates = await stage().catalogue.providersOf('both')
    expect(() => onlyProvider('both', candidates)).toThrow(
      'model "both" is offered by several providers: write one of openai/both, or/both',
    )
  })
})
