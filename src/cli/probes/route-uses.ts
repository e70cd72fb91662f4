import type { Config } from '../../config/config.ts'
import type { RouteUse } from '../../providers/routing/probes/findings.ts'
import { loadAgents } from '../../runtime/load-agents.ts'

/**
 * What the routes are used for, by the agents of the configuration: tools where one of them has some. Without agents,
 * anything may be asked of any route.
 */
export async function routeUses(config: Config): Promise<(route: string) => RouteUse> {
  if (config.agents === undefined) return () => ({ tools: true, json: true })
  const agents = [...(await loadAgents(config.agents)).values()]
  const withTools = new Set(
    agents
      .filter(({ tools }) => tools.size > 0)
      .flatMap(({ model }) => config.models[model]?.routes.map(({ name }) => name) ?? [model]),
  )
  return (route) => ({ tools: withTools.has(route), json: true })
}
