import type { AliasConfig, Config, RouteConfig } from '../../config/config.ts'

/** What a client may ask for, and where it leads. */
export type RouteTable = {
  /** Every route that stands in an alias and whose provider is enabled, once. */
  readonly routes: readonly RouteConfig[]
  readonly aliases: readonly AliasConfig[]
  /** Names of the aliases in which a route stands. */
  aliasesOf(route: string): readonly string[]
  /** The alias called `model`, or an alias of one route for a `provider/model` of an enabled provider. */
  find(model: string): AliasConfig | undefined
  /** `route` and `model` of a route as labels: names that only a client knows become `other`. */
  labels(route: RouteConfig): RouteLabels
  /** The alias or route as a label. */
  aliasLabel(model: string): string
}

export type RouteLabels = { readonly route: string; readonly provider: string; readonly model: string }

/** The table of a configuration. Routes of disabled providers are left out; so are aliases that have no other. */
export function createRouteTable({ models, providers }: Pick<Config, 'models' | 'providers'>): RouteTable {
  const isEnabled = (provider: string): boolean => providers[provider]?.enabled === true
  const aliases = Object.values(models)
    .map((alias) => ({ ...alias, routes: alias.routes.filter(({ provider }) => isEnabled(provider)) }))
    .filter(({ routes }) => routes.length > 0)
  const byAlias = new Map(aliases.map((alias) => [alias.alias, alias]))
  const byRoute = new Map(aliases.flatMap((alias) => alias.routes).map((route) => [route.name, route]))

  const findRoute = (name: string): RouteConfig | undefined => {
    const known = byRoute.get(name)
    if (known !== undefined) return known
    const slash = name.indexOf('/')
    const route = { name, provider: name.slice(0, slash), model: name.slice(slash + 1) }
    return slash > 0 && route.model !== '' && isEnabled(route.provider) ? route : undefined
  }
  const labels = ({ name, provider, model }: RouteConfig): RouteLabels =>
    byRoute.has(name)
      ? { route: name, provider, model }
      : { route: `${provider}/other`, provider, model: 'other' }
  return {
    routes: [...byRoute.values()],
    aliases,
    aliasesOf: (route) =>
      aliases.filter(({ routes }) => routes.some(({ name }) => name === route)).map(({ alias }) => alias),
    find(model) {
      const alias = byAlias.get(model)
      if (alias !== undefined) return alias
      const route = findRoute(model)
      return route && { alias: model, strategy: 'first_healthy', routes: [route] }
    },
    labels,
    aliasLabel: (model) => (byAlias.has(model) || byRoute.has(model) ? model : 'other'),
  }
}
