/** `GET /v1/routes`: how the routes stand; with `?explain=<model>` which of them would serve it now, and why. */

import type { FastifyInstance } from 'fastify'
import { TurnkeeperError } from '../errors.ts'
import { neededFor } from '../providers/capabilities/capability.ts'
import { unknownModel } from '../providers/routing/explain/explain.ts'
import type { ProviderRuntime } from '../providers/runtime.ts'

type RoutesPath = {
  readonly Querystring: { readonly explain?: unknown; readonly tools?: unknown; readonly images?: unknown }
}

/** Adds the route. `tools` and `images` beside `explain` say what the request would carry. */
export function addRouteRoutes(
  app: FastifyInstance,
  { models }: { readonly models: Pick<ProviderRuntime, 'routeReports' | 'explain' | 'routes'> },
): void {
  app.get<RoutesPath>('/v1/routes', async ({ query, caller }, reply) => {
    reply.header('cache-control', 'no-store')
    if (query.explain === undefined) {
      caller.requireAdmin()
      return { routes: await models.routeReports() }
    }
    if (typeof query.explain !== 'string' || query.explain === '') {
      throw new TurnkeeperError('invalid_input', 'explain: expected one model')
    }
    const needs = neededFor({ tools: isSet(query.tools, 'tools'), images: isSet(query.images, 'images') })
    const refusal = caller.refusalOf(query.explain)
    const explanation = await models.explain(query.explain, { needs, exclude: () => refusal })
    if (explanation !== undefined) return explanation
    const aliases = new Set(models.routes().flatMap((route) => route.aliases))
    throw unknownModel(query.explain, [...aliases])
  })
}

/** `?tools`, `?tools=1` and `?tools=true` all say yes. */
function isSet(value: unknown, name: string): boolean {
  if (value === undefined || value === 'false' || value === '0') return false
  if (value === '' || value === 'true' || value === '1') return true
  throw new TurnkeeperError('invalid_input', `${name}: expected true or false`)
}
