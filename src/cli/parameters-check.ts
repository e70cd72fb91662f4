/** What is wrong with the parameters that a configuration and its agents set, before anybody sends them. */

import type { Config, ProviderConfig } from '../config/config.ts'
import { checkParameters } from '../providers/parameters/check.ts'
import type { Agent } from '../runtime/agent.ts'

/** One sentence a mistake in `providers.<name>.parameters.defaults`. */
export function defaultsFindings({ providers }: Config): readonly string[] {
  return Object.values(providers).flatMap((provider) => {
    const path = `providers.${provider.name}.parameters.defaults`
    return problemsOf(provider, provider.parameters.defaults, { path, unknown: 'reject' })
  })
}

/** One sentence a mistake in an agent's parameters, for each provider that may serve its model. */
export function agentFindings({ name, model, parameters }: Agent, config: Config): readonly string[] {
  const { models, providers } = config
  const routes = models[model]?.routes.map(({ provider }) => provider) ?? [model.split('/', 1)[0] ?? '']
  return [...new Set(routes)].flatMap((route) => {
    const provider = providers[route]
    if (provider === undefined) return []
    const path = `agent ${name}, on ${provider.name}: parameters`
    return problemsOf(provider, parameters, { path, unknown: provider.parameters.unknown })
  })
}

function problemsOf(
  { protocol, dialect }: ProviderConfig,
  parameters: Readonly<Record<string, unknown>>,
  how: { readonly path: string; readonly unknown: 'reject' | 'warn' },
): readonly string[] {
  const { refusal } = checkParameters(parameters, { protocol, dialect, ...how })
  return refusal?.message.split('\n') ?? []
}
