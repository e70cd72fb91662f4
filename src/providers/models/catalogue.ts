/**
 * What the providers offer: their own lists, kept in Redis and in memory, above the table of this project.
 *
 * M1. `find` answers from memory: no call of a model waits for a list.
 * M2. A list is fetched when somebody asks for it and it is older than `REFRESH_MS`, by one caller of a process at a
 *     time; a provider that fails is asked again after `RETRY_MS`, and its old list stays.
 */

import type { ProviderConfig, RouteConfig } from '../../config/config.ts'
import { excludedBy } from '../../config/patterns.ts'
import { type SerializedError, TurnkeeperError, toTurnkeeperError } from '../../errors.ts'
import type { RedisConnection } from '../../redis/connection.ts'
import { globalKeys } from '../../redis/keys.ts'
import { knownModel } from './known-models.ts'
import { type ModelInfo, mergeInfo } from './model-info.ts'

export type ProviderModels = {
  readonly provider: string
  /** Epoch milliseconds of the list; null where there has been none yet. */
  readonly fetchedAt: number | null
  readonly models: readonly ModelInfo[]
  /** Why it could not be fetched anew. */
  readonly error?: SerializedError
}

export type ModelCatalogue = {
  /** What is known of a route's model: the provider's list first, the table for what that does not say. */
  find(route: Pick<RouteConfig, 'provider' | 'model'>): ModelInfo
  /** The lists of all enabled providers; `refresh` fetches them whatever their age. */
  list(options?: { readonly refresh?: boolean }): Promise<readonly ProviderModels[]>
  /** Enabled providers that have a model of exactly this name, by list or by configured route. */
  providersOf(model: string): Promise<readonly string[]>
  /** Reads what other processes have put into Redis. */
  load(): Promise<void>
}

export type CatalogueOptions = {
  readonly providers: Readonly<Record<string, ProviderConfig>>
  /** Configured routes: what an alias names, its provider has. */
  readonly routes: readonly RouteConfig[]
  /** Rejects with TurnkeeperError; resolves to nothing where the provider has no list. */
  readonly fetchList: (provider: ProviderConfig) => Promise<readonly ModelInfo[]>
  /** Without it, lists are kept in memory alone. */
  readonly redis?: Pick<RedisConnection, 'get' | 'set'>
  readonly prefix: string
  /** Epoch milliseconds. */
  readonly now?: () => number
}

const REFRESH_MS = 6 * 3_600_000
const RETRY_MS = 60_000
/** In Redis a list outlives its refresh, so that a provider that is away keeps its models. */
const KEEP_MS = 7 * 24 * 3_600_000

/** Vendors whose public prices hold for what is bought from them; a reseller's or one's own server's do not. */
const OWN_PRICES: ReadonlySet<string> = new Set(['openai', 'azure'])

type Entry = ProviderModels & { readonly triedAt: number; readonly byId: ReadonlyMap<string, ModelInfo> }

/** A catalogue without lists; `load` and `list` bring them. */
export function createModelCatalogue(options: CatalogueOptions): ModelCatalogue {
  const { providers, routes, fetchList, redis, prefix, now = Date.now } = options
  const entries = new Map<string, Entry>()
  const fetching = new Map<string, Promise<Entry>>()
  /** Answers of `find` for configured routes, until a list changes. */
  const found = new Map<string, ModelInfo>()
  const isConfigured = new Set(routes.map(({ name }) => name))
  const enabled = Object.values(providers).filter((provider) => provider.enabled)
  const keyOf = (provider: string): string => `${globalKeys(prefix).models}:${provider}`

  const isLetIn = (provider: string, model: string): boolean => {
    const patterns = providers[provider]?.models
    return patterns !== undefined && excludedBy(patterns, model) === undefined
  }
  const keep = (name: string, entry: Entry): void => {
    entries.set(name, entry)
    found.clear()
  }
  const lookUp = ({ provider, model }: Pick<RouteConfig, 'provider' | 'model'>): ModelInfo => {
    const listed = entries.get(provider)?.byId.get(model) ?? { id: model }
    const { price, ...known } = knownModel(model) ?? { id: model }
    const config = providers[provider]
    const hasPrice = price !== undefined && config !== undefined && sellsAtOwnPrice(config)
    return mergeInfo(listed, hasPrice ? { ...known, price } : known)
  }
  const loadOne = async ({ name }: ProviderConfig): Promise<void> => {
    const stored = parseStored((await redis?.get(keyOf(name))) ?? null)
    if (stored && stored.fetchedAt > (entries.get(name)?.fetchedAt ?? 0)) {
      keep(name, toEntry(name, stored, stored.fetchedAt))
    }
  }
  const fetchOne = async (provider: ProviderConfig): Promise<Entry> => {
    const { name } = provider
    const triedAt = now()
    try {
      const stored = { fetchedAt: triedAt, models: await fetchList(provider) }
      keep(name, toEntry(name, stored, triedAt))
      // A list that Redis does not keep is fetched again by others: no reason to fail.
      await redis?.set(keyOf(name), JSON.stringify(stored), 'PX', KEEP_MS).catch(() => {})
    } catch (error) {
      const { fetchedAt = null, models = [] } = entries.get(name) ?? {}
      const failed = {
        ...toEntry(name, { fetchedAt, models }, triedAt),
        error: toTurnkeeperError(error).toJSON(),
      }
      keep(name, failed)
    }
    fetching.delete(name)
    return entries.get(name)!
  }
  const ensure = async (provider: ProviderConfig, refresh: boolean): Promise<Entry> => {
    const fresh = (): Entry | undefined => {
      const entry = entries.get(provider.name)
      return entry && isFresh(entry, now()) ? entry : undefined
    }
    const known = refresh ? undefined : fresh()
    if (known) return known
    if (!refresh) await loadOne(provider).catch(() => {}) // another process may have fetched it
    const loaded = refresh ? undefined : fresh()
    if (loaded) return loaded
    const running = fetching.get(provider.name) ?? fetchOne(provider)
    fetching.set(provider.name, running)
    return running
  }

  return {
    find(route) {
      const name = `${route.provider}/${route.model}`
      const info = found.get(name) ?? lookUp(route)
      // Names that only a client knows are not kept: there could be any number of them.
      if (isConfigured.has(name)) found.set(name, info)
      return info
    },
    async list({ refresh = false } = {}) {
      const all = await Promise.all(enabled.map((provider) => ensure(provider, refresh)))
      return all.map(({ byId: _byId, triedAt: _triedAt, ...list }) => ({
        ...list,
        models: list.models.filter(({ id }) => isLetIn(list.provider, id)),
      }))
    },
    async providersOf(model) {
      const lists = await Promise.all(enabled.map((provider) => ensure(provider, false)))
      const listing = lists
        .filter(({ provider, byId }) => byId.has(model) && isLetIn(provider, model))
        .map(({ provider }) => provider)
      const configured = routes.filter((route) => route.model === model).map(({ provider }) => provider)
      return [...new Set([...configured, ...listing])].sort()
    },
    async load() {
      await Promise.allSettled(enabled.map(loadOne))
    },
  }
}

function sellsAtOwnPrice({ protocol, dialect }: ProviderConfig): boolean {
  const name: string = protocol
  return name === 'anthropic' || name === 'openai-responses' || OWN_PRICES.has(dialect)
}

function isFresh({ fetchedAt, triedAt, error }: Entry, now: number): boolean {
  if (error !== undefined) return now - triedAt < RETRY_MS
  return fetchedAt !== null && now - fetchedAt < REFRESH_MS
}

type Stored = { readonly fetchedAt: number; readonly models: readonly ModelInfo[] }

function toEntry(
  provider: string,
  { fetchedAt, models }: { readonly fetchedAt: number | null; readonly models: readonly ModelInfo[] },
  triedAt: number,
): Entry {
  return { provider, fetchedAt, models, triedAt, byId: new Map(models.map((model) => [model.id, model])) }
}

/** What this project has written; anything else is as if it were not there. */
function parseStored(text: string | null): Stored | undefined {
  if (text === null) return undefined
  try {
    const { fetchedAt, models } = JSON.parse(text) as Partial<Stored>
    return typeof fetchedAt === 'number' && Array.isArray(models) ? { fetchedAt, models } : undefined
  } catch {
    return undefined
  }
}

/** The one provider of a bare model name; throws where none or several have it. */
export function onlyProvider(model: string, candidates: readonly string[]): string | undefined {
  if (candidates.length <= 1) return candidates[0]
  const names = candidates.map((provider) => `${provider}/${model}`).join(', ')
  throw new TurnkeeperError(
    'invalid_request',
    `model ${JSON.stringify(model.slice(0, 100))} is offered by several providers: write one of ${names}`,
  )
}
