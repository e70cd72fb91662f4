/**
 * The configured routes and models as seen by a process that takes no part in them: it sends no probe and reports
 * nothing. Works without Redis too; states and the fleet's model lists are not known then.
 */

import type { Config, ProviderConfig } from '../../config/config.ts'
import type { RedisConnection } from '../../redis/connection.ts'
import type { RouteCapabilities } from '../capabilities/capability.ts'
import { createHttpClient, type HttpClient } from '../http.ts'
import type { Transition } from '../routing/breaker/states.ts'
import { standingsOf } from '../routing/credentials/credentials.ts'
import { type ExplainOptions, explainModel, type RouteExplanation } from '../routing/explain/explain.ts'
import { type FleetView, readFleetView, readHistory } from '../routing/explain/fleet-view.ts'
import { type RouteReport, routeReports } from '../routing/explain/route-report.ts'
import { createDetours } from '../routing/mitigation/detour.ts'
import { createRouteTable } from '../routing/route-table.ts'
import { createRouter } from '../routing/router.ts'
import type { ModelCatalogue } from './catalogue.ts'
import { openOffers } from './offers.ts'
import { blendedPrice } from './pricing.ts'

export type InspectedRoute = Omit<RouteReport, 'state' | 'healthScore'> & {
  /** null without Redis. */
  readonly state: RouteReport['state'] | null
  /** null without Redis. */
  readonly healthScore: number | null
  readonly capabilities: RouteCapabilities
}

export type Inspection = AsyncDisposable & {
  /** Every route that stands in an alias. */
  routes(): Promise<readonly InspectedRoute[]>
  readonly models: ModelCatalogue['list']
  /** The latest moves of all breakers, oldest first; none without Redis. */
  history(): Promise<readonly Transition[]>
  /** As `runtime.explain`, without what only a running process knows: its places and its measured speeds. */
  explain(model: string, options?: ExplainOptions): Promise<RouteExplanation | undefined>
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
  const { knowledge, models, close } = await openOffers(config, {
    ...{ table, clientOf },
    ...(redis && { redis: { command: redis } }),
  })
  const look = (): Promise<FleetView> => readFleetView(config, { redis, table })
  return {
    models,
    async routes() {
      const { view, counts } = await look()
      return routeReports(table, { view, counts, now: Date.now() }).map((report, i) => ({
        ...report,
        ...(redis === undefined && { state: null, healthScore: null }),
        capabilities: knowledge.capabilitiesOf(table.routes[i]!), // one report a route
      }))
    },
    history: () => readHistory(config, redis),
    async explain(model, options) {
      const { view, mitigationOf } = await look()
      const router = createRouter({
        table,
        health: { view },
        credentials: standingsOf(config.providers, view),
        priceOf: (route) => blendedPrice(knowledge.priceOf(route)),
      })
      const watch = { recordOf: mitigationOf, count: () => {} }
      const mitigation = createDetours({ watch, table, router })
      return explainModel({ router, mitigation, table, knowledge, config: config.routing }, model, options)
    },
    async [Symbol.asyncDispose]() {
      close()
      await Promise.allSettled([...clients.values()].map((client) => client.close()))
    },
  }
}
