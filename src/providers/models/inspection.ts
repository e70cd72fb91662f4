/**
 * The configured routes and models as seen by a process that takes no part in them: it sends no probe and reports
 * nothing. Works without Redis too; states and the fleet's model lists are not known then.
 */

import type { Config, ProviderConfig, RouteConfig } from '../../config/config.ts'
import type { RedisConnection } from '../../redis/connection.ts'
import type { RouteCapabilities } from '../capabilities/capability.ts'
import { createHttpClient, type HttpClient } from '../http.ts'
import { policyFromConfig } from '../routing/breaker/rules.ts'
import type { HealthState } from '../routing/breaker/states.ts'
import { createBreakerStore } from '../routing/breaker/store.ts'
import { createRouteTable } from '../routing/route-table.ts'
import type { ModelCatalogue } from './catalogue.ts'
import { openOffers } from './offers.ts'

export type InspectedRoute = RouteConfig & {
  /** null without Redis. */
  readonly state: HealthState | null
  readonly aliases: readonly string[]
  readonly capabilities: RouteCapabilities
}

export type Inspection = AsyncDisposable & {
  /** Every route that stands in an alias. */
  routes(): Promise<readonly InspectedRoute[]>
  readonly models: ModelCatalogue['list']
}

/** Opens a look at the providers of a configuration; `redis` stays its owner's. */
export async function inspectProviders(
  config: Config,
  { redis }: { readonly redis?: RedisConnection } = {},
): Promise<Inspection> {
  const table = createRouteTable(config)
  const clients = new Map<string, HttpClient>()
  const clientOf = ({ name, timeouts }: ProviderConfig): HttpClient => {
    const client = clients.get(name) ?? createHttpClient({ connectMs: timeouts.connectMs })
    clients.set(name, client)
    return client
  }
  const offers = await openOffers(config, { table, clientOf, ...(redis && { redis: { command: redis } }) })
  return {
    async routes() {
      const states = await readStates(config, { redis, routes: table.routes })
      return table.routes.map((route, index) => ({
        ...route,
        state: states[index] ?? null,
        aliases: table.aliasesOf(route.name),
        capabilities: offers.knowledge.capabilitiesOf(route),
      }))
    },
    models: offers.models,
    async [Symbol.asyncDispose]() {
      offers.close()
      await Promise.allSettled([...clients.values()].map((client) => client.close()))
    },
  }
}

async function readStates(
  { redis: { prefix }, breakers }: Config,
  { redis, routes }: { redis: RedisConnection | undefined; routes: readonly RouteConfig[] },
): Promise<readonly HealthState[]> {
  if (redis === undefined) return []
  const store = createBreakerStore({ redis, prefix, policy: policyFromConfig(breakers) })
  return (await store.read(routes.map(({ name }) => name))).map(({ state }) => state)
}
