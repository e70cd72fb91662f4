/**
 * What a model may be called, and what must not be called alike. A name is looked up in this order:
 *
 *   1. an alias;
 *   2. `<provider>/<model>` or `<prefix>/<model>`; with `routing.forceModelPrefix` a provider that has a prefix answers to
 *      that alone;
 *   3. a bare model that exactly one provider lists; not with `routing.forceModelPrefix`.
 *
 * What two of them could mean is refused when the configuration is loaded, so the order never decides by surprise.
 */

import { excludedBy, type Patterns } from './patterns.ts'
import { type Problem, suggestion } from './problems.ts'

/** What is needed of the tree before the schema has seen it. */
export type NamedProvider = { readonly prefix?: string; readonly models: Patterns }

/** The providers of a raw tree; whatever has not the right form is the schema's to tell. */
export function namedProviders(
  providers: Readonly<Record<string, unknown>>,
): Readonly<Record<string, NamedProvider>> {
  const named: Record<string, NamedProvider> = Object.create(null)
  for (const [name, provider] of Object.entries(providers)) {
    const prefix = fieldOf(provider, 'prefix')
    const models = fieldOf(provider, 'models')
    named[name] = {
      ...(typeof prefix === 'string' && { prefix }),
      models: {
        include: textsOf(fieldOf(models, 'include'), ['*']),
        exclude: textsOf(fieldOf(models, 'exclude')),
      },
    }
  }
  return named
}

/** Prefixes that mean two providers. */
export function prefixProblems(providers: Readonly<Record<string, NamedProvider>>): Problem[] {
  const all = Object.entries(providers)
  return all.flatMap(([name, { prefix }], i) => {
    if (prefix === undefined) return []
    const path = `providers.${name}.prefix`
    const namesake = all.find(([other]) => other === prefix && other !== name)
    if (namesake) {
      return [{ path, text: `"${prefix}" is the name of another provider: choose another prefix` }]
    }
    const earlier = all.slice(0, i).find(([, other]) => other.prefix === prefix)
    if (!earlier) return []
    return [{ path, text: `"${prefix}" is the prefix of ${earlier[0]} already: choose another one` }]
  })
}

/** An alias that a client could mean a route by. */
export function aliasProblem(
  alias: string,
  providers: Readonly<Record<string, NamedProvider>>,
): string | undefined {
  if (!alias.includes('/')) return undefined
  const start = alias.slice(0, alias.indexOf('/'))
  if (start in providers) {
    return `the alias would hide a route of the provider ${start}: choose a name that begins otherwise`
  }
  const owner = ownerOf(start, providers)
  return (
    owner &&
    `the alias would hide a route of ${owner}, whose prefix is ${start}: choose a name that begins otherwise`
  )
}

/** The provider with that prefix. */
export function ownerOf(
  prefix: string,
  providers: Readonly<Record<string, NamedProvider>>,
): string | undefined {
  return Object.entries(providers).find(([, provider]) => provider.prefix === prefix)?.[0]
}

/** A route that its own provider keeps out. */
export function exclusionProblem(
  { provider, model }: { readonly provider: string; readonly model: string },
  providers: Readonly<Record<string, NamedProvider>>,
): string | undefined {
  const patterns = providers[provider]?.models
  const why = patterns && excludedBy(patterns, model)
  return (
    why &&
    `${provider}/${model} is kept out by providers.${provider}.models (${why}): change that, or take the route away`
  )
}

/** Prefixes of API keys that nothing has. */
export function keyPrefixProblems(
  apiKeys: unknown,
  providers: Readonly<Record<string, NamedProvider>>,
): Problem[] {
  if (!Array.isArray(apiKeys)) return []
  const known = [...Object.keys(providers), ...Object.values(providers).flatMap(({ prefix }) => prefix ?? [])]
  return apiKeys.flatMap((key, i) =>
    textsOf(fieldOf(key, 'prefixes')).flatMap((prefix, j) => {
      if (known.includes(prefix)) return []
      const hint = suggestion(prefix, known) || ` (known: ${known.join(', ') || 'none'})`
      const path = `server.apiKeys[${i}].prefixes[${j}]`
      return [{ path, text: `"${prefix}" is neither a prefix nor the name of a provider${hint}` }]
    }),
  )
}

function fieldOf(value: unknown, key: string): unknown {
  return typeof value === 'object' && value !== null ? Reflect.get(value, key) : undefined
}

function textsOf(value: unknown, otherwise: readonly string[] = []): readonly string[] {
  return Array.isArray(value) ? value.filter((item) => typeof item === 'string') : otherwise
}
