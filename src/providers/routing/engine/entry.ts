/** The alias that a call takes: its own, or the fallback of one that has moved, where that can serve this request. */

import type { RouteConfig } from '../../../config/config.ts'
import type { RouteCapabilities } from '../../capabilities/capability.ts'
import type { ModelRequest } from '../../types.ts'
import type { Upstream } from '../../upstream.ts'
import type { EngineOptions } from '../engine-types.ts'
import type { Detour, Mitigation } from '../mitigation/detour.ts'
import { type Preflight, preflight } from '../preflight.ts'
import type { RouteTable } from '../route-table.ts'

export type EntryWorld = {
  readonly table: RouteTable
  readonly mitigation: Mitigation
  readonly upstreamOf: (route: string) => Upstream | undefined
  readonly knowledge: { readonly capabilitiesOf?: (route: RouteConfig) => RouteCapabilities }
}

/** What preflight finds for the alias that the call takes, which the request names from then on. */
export function enterAlias(
  world: EntryWorld,
  request: ModelRequest,
  options: EngineOptions,
): Preflight | Promise<Preflight> {
  const detour = world.mitigation.detour(request.model ?? '', options)
  return detour === undefined ? check(world, request) : enterDetour(world, request, detour)
}

async function enterDetour(world: EntryWorld, request: ModelRequest, detour: Detour): Promise<Preflight> {
  const there = await check(world, { ...request, model: detour.model })
  const routes = world.table.find(detour.model)?.routes ?? []
  const isFit = there.refusal === undefined && routes.some(({ name }) => !there.unfit.has(name))
  // What the fallback cannot do at all, the routes of its own may still do.
  if (!isFit) return check(world, request)
  return { ...there, decisions: [detour.decision, ...there.decisions] }
}

function check(
  { table, upstreamOf, knowledge }: EntryWorld,
  request: ModelRequest,
): Preflight | Promise<Preflight> {
  const routes = table.find(request.model ?? '')?.routes ?? []
  return preflight(request, routes, { upstreamOf, capabilitiesOf: knowledge.capabilitiesOf })
}
