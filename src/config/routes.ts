/** What a schema cannot see: routes and aliases against the configured providers. */

import {
  aliasProblem,
  exclusionProblem,
  keyPrefixProblems,
  type NamedProvider,
  namedProviders,
  ownerOf,
  prefixProblems,
} from './names.ts'
import { type Problem, suggestion } from './problems.ts'
import { routeFromName } from './schema.ts'

/**
 * Dangling, repeated and excluded routes, aliases that look like a route, prefixes that mean two providers. Works on the tree before the schema, so that
 * these come in the same report as everything else; what is not a route at all is the schema's to tell.
 */
export function routeProblems(raw: unknown): Problem[] {
  const providers = namedProviders(entriesOf(raw, 'providers'))
  const models = entriesOf(raw, 'models')
  const ofAliases = Object.entries(models).flatMap(([alias, model]) => {
    const routes = stringsOf(model, 'routes')
    return [
      ...aliasProblems(alias, providers),
      ...weightProblems(alias, model),
      ...fallbackProblems(alias, models),
      ...routes.flatMap((route, index) => {
        const path = `models.${alias}.routes[${index}]`
        if (route !== '' && routes.indexOf(route) < index)
          return [{ path, text: `${route} stands in this list twice` }]
        return danglingProblems(route, { path, providers, aliases: Object.keys(models) })
      }),
    ]
  })
  const apiKeys: unknown = Reflect.get(entriesOf(raw, 'server'), 'apiKeys')
  return [...prefixProblems(providers), ...keyPrefixProblems(apiKeys, providers), ...ofAliases]
}

type Providers = Readonly<Record<string, NamedProvider>>

function aliasProblems(alias: string, providers: Providers): Problem[] {
  const text = aliasProblem(alias, providers)
  return text === undefined ? [] : [{ path: `models.${alias}`, text }]
}

/** A weight beside a strategy that has an order of its own would be a key without effect. */
function weightProblems(alias: string, model: unknown): Problem[] {
  const { strategy } = entriesOf({ model }, 'model')
  if (strategy !== 'cheapest' && strategy !== 'fastest') return []
  return Object.entries(entriesOf(model, 'routes', { list: true }))
    .filter(([, item]) => typeof item === 'object' && item !== null && 'weight' in item)
    .map(([index]) => ({
      path: `models.${alias}.routes[${index}].weight`,
      text: `"${strategy}" has an order of its own: leave the weight out, or choose another strategy`,
    }))
}

/** The fallback of a mitigation is another alias, and following fallbacks never leads back. */
function fallbackProblems(alias: string, models: Readonly<Record<string, unknown>>): Problem[] {
  const fallback = fallbackOf(models[alias])
  if (fallback === undefined) return []
  const path = `models.${alias}.mitigation.fallback`
  if (!Object.hasOwn(models, fallback)) {
    const hint =
      suggestion(fallback, Object.keys(models)) || ` (configured: ${Object.keys(models).join(', ')})`
    return [{ path, text: `no alias is named "${fallback}"${hint}` }]
  }
  const chain = [alias]
  for (let next: string | undefined = fallback; next !== undefined; next = fallbackOf(models[next])) {
    if (next === alias)
      return [{ path, text: `the fallbacks go in a circle: ${[...chain, next].join(' → ')}` }]
    if (chain.includes(next)) return [] // a circle further on: told of the aliases in it
    chain.push(next)
  }
  return []
}

function fallbackOf(model: unknown): string | undefined {
  const { fallback } = entriesOf(model, 'mitigation')
  return typeof fallback === 'string' && fallback !== '' ? fallback : undefined
}

function danglingProblems(
  route: string,
  { path, providers, aliases }: { path: string; providers: Providers; aliases: readonly string[] },
): Problem[] {
  if (!route.includes('/')) {
    return aliases.includes(route)
      ? [{ path, text: `expected a route written provider/model, got the alias ${route}` }]
      : []
  }
  const { provider, model } = routeFromName(route)
  if (provider === '') return []
  if (provider in providers) {
    const text = exclusionProblem({ provider, model }, providers)
    return text === undefined ? [] : [{ path, text }]
  }
  const owner = ownerOf(provider, providers)
  if (owner !== undefined) {
    return [{ path, text: `"${provider}" is the prefix of ${owner}: write ${owner}/${model}` }]
  }
  const names = Object.keys(providers)
  const hint = suggestion(provider, names) || ` (configured: ${names.join(', ') || 'none'})`
  return [{ path, text: `no provider is named "${provider}"${hint}` }]
}

function entriesOf(
  value: unknown,
  key: string,
  { list = false }: { list?: boolean } = {},
): Readonly<Record<string, unknown>> {
  const found: unknown = typeof value === 'object' && value !== null ? Reflect.get(value, key) : undefined
  return typeof found === 'object' && found !== null && Array.isArray(found) === list ? { ...found } : {}
}

function stringsOf(value: unknown, key: string): readonly string[] {
  const found: unknown = typeof value === 'object' && value !== null ? Reflect.get(value, key) : undefined
  return Array.isArray(found) ? found.map(nameOf) : []
}

/** The route of an item of the list, written alone or as `{ route, weight }`; '' where there is none. */
function nameOf(item: unknown): string {
  if (typeof item === 'string') return item
  const route: unknown = typeof item === 'object' && item !== null ? Reflect.get(item, 'route') : undefined
  return typeof route === 'string' ? route : ''
}
