import type { AliasConfig, Config, ProviderConfig, RouteConfig } from '../../config/config.ts'
import { excludedBy } from '../../config/patterns.ts'
import { routeFromName } from '../../config/schema.ts'

/** What a client may ask for, and where it leads. */
export type RouteTable = {
  /** Every route that stands in an alias and whose provider is enabled, once. */
  readonly routes: readonly RouteConfig[]
  readonly aliases: readonly AliasConfig[]
  /** Names of the aliases in which a route stands. */
  aliasesOf(route: string): readonly string[]
  /**
   * What a client means by `model`: the alias called so, or an alias of one route for a `provider/model` or
   * `prefix/model` of an enabled provider that lets that model in (the order stands in `config/names.ts`).
   */
  find(model: string): AliasConfig | undefined
  /** The route of that name, by the name of its provider alone. */
  route(name: string): RouteConfig | undefined
  /** The wire format of a route. */
  protocolOf(route: RouteConfig): ProviderConfig['protocol'] | 'other'
  /** `route` and `model` of a route as labels: names that only a client knows become `other`. */
  labels(route: RouteConfig): RouteLabels
  /** The alias or route as a label. */
  aliasLabel(model: string): string
}

export type RouteLabels = { readonly route: string; readonly provider: string; readonly model: string }

/** The table of a configuration. Routes of disabled providers are left out; so are aliases that have no other. */
export function createRouteTable({
  models,
  providers,
  routing,
}: Pick<Config, 'models' | 'providers'> & {
  readonly routing: Pick<Config['routing'], 'forceModelPrefix'>
}): RouteTable {
  const isEnabled = (provider: string): boolean => providers[provider]?.enabled === true
  const aliases = Object.values(models)
    .map((alias) => ({ ...alias, routes: alias.routes.filter(({ provider }) => isEnabled(provider)) }))
    .filter(({ routes }) => routes.length > 0)
  const byAlias = new Map(aliases.map((alias) => [alias.alias, alias]))
  const byRoute = new Map(aliases.flatMap((alias) => alias.routes).map((route) => [route.name, route]))

  const byPrefix = new Map(
    Object.values(providers).flatMap(({ name, prefix }) => (prefix === undefined ? [] : [[prefix, name]])),
  )
  const route = (name: string): RouteConfig | undefined => {
    const known = byRoute.get(name)
    if (known !== undefined) return known
    const { provider, model } = routeFromName(name)
    if (!name.includes('/') || model === '' || !isEnabled(provider)) return undefined
    const patterns = providers[provider]?.models
    return patterns && excludedBy(patterns, model) === undefined ? { name, provider, model } : undefined
  }
  const findRoute = (name: string): RouteConfig | undefined => {
    if (!name.includes('/')) return undefined
    const { provider: start, model } = routeFromName(name)
    const owner = byPrefix.get(start)
    if (owner !== undefined) return route(`${owner}/${model}`)
    const mustUsePrefix = routing.forceModelPrefix && providers[start]?.prefix !== undefined
    return mustUsePrefix ? undefined : route(name)
  }
  const labelsOf = new Map(
    [...byRoute.values()].map(({ name, provider, model }) => [name, { route: name, provider, model }]),
  )
  const labels = ({ name, provider }: RouteConfig): RouteLabels =>
    labelsOf.get(name) ?? { route: `${provider}/other`, provider, model: 'other' }
  return {
    routes: [...byRoute.values()],
    aliases,
    aliasesOf: (route) =>
      aliases.filter(({ routes }) => routes.some(({ name }) => name === route)).map(({ alias }) => alias),
    find(model) {
      const alias = byAlias.get(model)
      if (alias !== undefined) return alias
      const found = findRoute(model)
      return found && { alias: model, strategy: 'first_healthy', routes: [found] }
    },
    route,
    protocolOf: ({ provider }) => providers[provider]?.protocol ?? 'other',
    labels,
    aliasLabel(model) {
      const name = byAlias.has(model) ? model : findRoute(model)?.name
      return name !== undefined && (byAlias.has(name) || byRoute.has(name)) ? name : 'other'
    },
  }
}
