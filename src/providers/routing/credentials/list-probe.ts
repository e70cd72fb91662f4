import type { ProviderConfig } from '../../../config/config.ts'
import type { HttpClient } from '../../http.ts'
import { MODEL_LISTS } from '../../models/lists.ts'
import { DIALECTS } from '../../protocols/dialects.ts'
import { PROTOCOLS } from '../../protocols/registry.ts'
import { exchangeSmall } from '../../small-exchange.ts'
import type { Probe } from '../breaker/health.ts'

/** OpenRouter's list is about 1 MB. */
const MAX_BYTES = 16 * 1024 * 1024

export type ListProbeOptions = {
  readonly providerOf: (subject: string) => ProviderConfig | undefined
  readonly clientOf: (provider: ProviderConfig) => HttpClient
  /** The credential's key or token. */
  readonly tokenOf: (subject: string) => Promise<string>
}

/** Tries a credential on the model list of its provider: costs nothing, and asks no model. */
export function createListProbe({ providerOf, clientOf, tokenOf }: ListProbeOptions): Probe {
  return async (subject, signal) => {
    const provider = providerOf(subject)
    if (provider === undefined || provider.protocol === 'llamacpp-cli') return 'failed'
    const { protocol, dialect, baseUrl } = provider
    const list = MODEL_LISTS[protocol]
    if (list === null || baseUrl === undefined) return 'failed'
    const { headers: own, authHeaders } = PROTOCOLS[protocol]
    const headers = {
      accept: 'application/json',
      'user-agent': 'turnkeeper',
      ...own,
      ...authHeaders(await tokenOf(subject), DIALECTS[dialect]),
    }
    const request = { method: 'GET' as const, url: new URL(`${baseUrl}${list.path}`), headers, body: '' }
    const { status } = await exchangeSmall(clientOf(provider), request, { signal, maxBytes: MAX_BYTES })
    if (status === 401 || status === 403) return 'refused'
    return status === 200 ? 'ok' : 'failed'
  }
}
