/** What the configured providers offer, as the runtime and the engine ask it: lists, abilities, prices, bare names. */

import type { Config, ProviderConfig, RouteConfig } from '../../config/config.ts'
import { TurnkeeperError } from '../../errors.ts'
import type { RedisConnection } from '../../redis/connection.ts'
import { noTelemetry } from '../../telemetry/none.ts'
import type { Telemetry } from '../../telemetry/telemetry.ts'
import type { RouteCapabilities } from '../capabilities/capability.ts'
import { capabilitiesOf } from '../capabilities/registry.ts'
import type { HttpClient } from '../http.ts'
import { DEFAULT_MAX_TOKENS } from '../parameters/rule.ts'
import { DIALECTS } from '../protocols/dialects.ts'
import { PROTOCOLS } from '../protocols/registry.ts'
import type { RouteKnowledge } from '../routing/engine/call.ts'
import type { RouteTable } from '../routing/route-table.ts'
import type { ModelRequest } from '../types.ts'
import { createModelCatalogue, type ModelCatalogue, onlyProvider } from './catalogue.ts'
import { fetchModelList } from './fetch-list.ts'
import { MODEL_LISTS } from './lists.ts'
import type { ModelInfo } from './model-info.ts'
import { type CostEstimate, estimateCost } from './pricing.ts'
import { countTokens, type TokenCount } from './tokens.ts'

export type RequestEstimate = {
  readonly route: string
  readonly tokens: TokenCount
  /** null where no price is known. */
  readonly cost: CostEstimate | null
}

export type Offers = {
  readonly knowledge: Required<Omit<RouteKnowledge, 'policyOf'>>
  readonly models: ModelCatalogue['list']
  /** Throws `server/no_route` for a name that leads nowhere. */
  estimate(request: ModelRequest): Promise<RequestEstimate>
  close(): void
}

export type OffersOptions = {
  readonly table: RouteTable
  readonly clientOf: (provider: ProviderConfig) => HttpClient
  /** The key or token to ask a provider with; undefined where it needs none. Default: its first key. */
  readonly keyOf?: (provider: string) => Promise<string | undefined>
  /** Without it, lists are kept in memory alone. */
  readonly redis?: { readonly command: RedisConnection }
  readonly telemetry?: Telemetry
  /** Whether old lists are fetched in the background. */
  readonly fetchLists?: boolean
}

const LOOK_AGAIN_MS = 600_000

/** Reads the lists that the fleet has; with `fetchLists` keeps them fresh until closed. */
export async function openOffers(config: Config, options: OffersOptions): Promise<Offers> {
  const { keyOf = firstKeyOf(config) } = options
  const { table, clientOf, redis, telemetry = noTelemetry, fetchLists = false } = options
  const { providers } = config
  const catalogue = createModelCatalogue({
    providers,
    routes: table.routes,
    ...(redis && { redis: redis.command }),
    prefix: config.redis.prefix,
    fetchList: async (provider) =>
      fetchProviderList(provider, { http: clientOf(provider), apiKey: await keyOf(provider.name) }),
  })
  await catalogue.load()
  const keepFresh = async (): Promise<void> => {
    for (const { provider, error } of await catalogue.list()) {
      if (error) telemetry.log.info({ provider, code: error.code }, 'a model list could not be fetched')
    }
  }
  if (fetchLists) void keepFresh()
  const timer = setInterval(() => void (fetchLists ? keepFresh() : catalogue.load()), LOOK_AGAIN_MS).unref()
  // The catalogue gives the same object for a route as long as nothing has changed.
  const known = new WeakMap<ModelInfo, RouteCapabilities>()
  return {
    knowledge: {
      capabilitiesOf(route) {
        const model = catalogue.find(route)
        const capabilities = known.get(model) ?? capabilitiesOf(natureOf(providers, route, model))
        known.set(model, capabilities)
        return capabilities
      },
      priceOf: (route) => catalogue.find(route).price,
      async routeOfModel(model) {
        if (config.routing.forceModelPrefix) return undefined
        const provider = onlyProvider(model, await catalogue.providersOf(model))
        return provider && `${provider}/${model}`
      },
    },
    models: catalogue.list,
    estimate: (request) => estimate(request, { table, catalogue }),
    close: () => clearInterval(timer),
  }
}

function firstKeyOf({ providers }: Config): (provider: string) => Promise<string | undefined> {
  return async (provider) => {
    const keys = providers[provider]?.credentials.flatMap((one) => ('apiKey' in one ? [one.apiKey] : []))
    return keys?.[0]?.reveal()
  }
}

async function fetchProviderList(
  provider: ProviderConfig,
  { http, apiKey }: { http: HttpClient; apiKey: string | undefined },
): Promise<readonly ModelInfo[]> {
  const { name, protocol, dialect, baseUrl } = provider
  const list = MODEL_LISTS[protocol]
  if (list === null || protocol === 'llamacpp-cli' || baseUrl === undefined) return []
  const { headers: own, authHeaders } = PROTOCOLS[protocol]
  const headers = { ...own, ...(apiKey !== undefined && authHeaders(apiKey, DIALECTS[dialect])) }
  return fetchModelList({ provider: name, baseUrl, headers, list, http })
}

function natureOf(
  providers: Config['providers'],
  { provider }: RouteConfig,
  model: ModelInfo,
): Parameters<typeof capabilitiesOf>[0] {
  const { protocol, dialect } = providers[provider]! // a route's provider is configured
  return { protocol, dialect, model }
}

async function estimate(
  request: ModelRequest,
  { table, catalogue }: { table: RouteTable; catalogue: ModelCatalogue },
): Promise<RequestEstimate> {
  const route = table.find(request.model ?? '')?.routes[0]
  if (route === undefined) {
    throw new TurnkeeperError('no_route', 'expected "model" to be an alias or a provider/model')
  }
  const tokens = await countTokens(route.model, request)
  const { price } = catalogue.find(route)
  const { maxTokens = DEFAULT_MAX_TOKENS } = request.parameters ?? {}
  const cost = price ? estimateCost(price, { inputTokens: tokens.tokens, maxTokens }) : null
  return { route: route.name, tokens, cost }
}
