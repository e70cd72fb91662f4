import type { Config, ProviderConfig, RouteConfig } from '../config/config.ts'
import type { Redactor } from '../telemetry/redaction.ts'
import type { Telemetry } from '../telemetry/telemetry.ts'
import { createUpstream, type UpstreamOptions } from './attempt/create-upstream.ts'
import { createImageFetcher, type ImageFetcher } from './attempt/images.ts'
import type { Silences } from './attempt/silences.ts'
import { createHttpClient, type HttpClient, type HttpClientOptions } from './http.ts'
import type { RouteTable } from './routing/route-table.ts'
import type { ModelParameters } from './types.ts'
import type { Upstream } from './upstream.ts'

/** The upstreams of all routes, and the connections that they share. */
export type Network = {
  upstreamOf(route: string): Upstream | undefined
  readonly clientOf: (provider: ProviderConfig) => HttpClient
  close(): Promise<void>
}

/** The routes over HTTP: one pool of connections a provider, one upstream a route, made when first wanted. */
export function openNetwork(
  { providers, recorder: evidence }: Config,
  links: { table: RouteTable; telemetry: Telemetry; redactor: Redactor; silences: Silences },
): Network {
  const { table, ...means } = links
  const clients = new Map<string, HttpClient>()
  const fetchers = new Map<string, ImageFetcher>()
  const upstreams = new Map<string, Upstream>()
  const shared = { ...means, evidence }
  const clientOf = ({ name, http, timeouts }: ProviderConfig): HttpClient => {
    const client =
      clients.get(name) ?? createHttpClient({ ...httpOptions(http), connectMs: timeouts.connectMs })
    clients.set(name, client)
    return client
  }
  const imagesOf = ({ name, images: { allow } }: ProviderConfig): { images?: ImageFetcher } => {
    if (allow.length === 0) return {}
    const images = fetchers.get(name) ?? createImageFetcher({ allow })
    fetchers.set(name, images)
    return { images }
  }
  const linksOf = (provider: ProviderConfig) => ({
    http: clientOf(provider),
    ...imagesOf(provider),
    ...shared,
  })
  for (const route of table.routes) {
    const provider = providers[route.provider]
    if (provider) upstreams.set(route.name, routeUpstream(provider, route, linksOf(provider)))
  }
  return {
    clientOf,
    upstreamOf(name) {
      const known = upstreams.get(name)
      if (known !== undefined) return known
      const route = table.route(name)
      const provider = route && providers[route.provider]
      // A name that only a client knows is not kept: clients could make up any number of them.
      return provider && routeUpstream(provider, route, linksOf(provider))
    },
    async close() {
      await Promise.allSettled([...clients.values(), ...fetchers.values()].map((client) => client.close()))
    },
  }
}

function httpOptions({ version, connections }: ProviderConfig['http']): HttpClientOptions {
  return { connections, http2: version === '2' }
}

function routeUpstream(
  provider: ProviderConfig,
  { name: route, model }: RouteConfig,
  shared: Pick<UpstreamOptions, 'http' | 'images' | 'telemetry' | 'redactor' | 'silences' | 'evidence'>,
): Upstream {
  const { protocol, dialect, baseUrl, command, timeouts, limits, parameters } = provider
  return createUpstream({
    ...{ protocol, dialect, model, route, provider: provider.name, timeouts, limits },
    ...(baseUrl !== undefined && { baseUrl }),
    ...(command !== undefined && { command }),
    ...shared,
    // createUpstream holds them against the vendor's table.
    parameters: parameters.defaults as ModelParameters,
    unknownParameters: parameters.unknown,
  })
}
