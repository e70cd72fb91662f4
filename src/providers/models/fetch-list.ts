import { TurnkeeperError } from '../../errors.ts'
import type { HttpClient } from '../http.ts'
import { exchangeSmall } from '../small-exchange.ts'
import type { ModelList } from './lists.ts'
import type { ModelInfo } from './model-info.ts'

/** OpenRouter's list is about 1 MB. */
const MAX_BYTES = 16 * 1024 * 1024
const TIMEOUT_MS = 15_000

export type ListSource = {
  readonly provider: string
  readonly baseUrl: string
  readonly headers: Readonly<Record<string, string>>
  readonly list: ModelList
  readonly http: HttpClient
}

/** The models that a provider lists now. Rejects with TurnkeeperError: what its server did, in our words. */
export async function fetchModelList(
  { provider, baseUrl, headers, list, http }: ListSource,
  { signal, timeoutMs = TIMEOUT_MS }: { signal?: AbortSignal; timeoutMs?: number } = {},
): Promise<readonly ModelInfo[]> {
  const late = AbortSignal.timeout(timeoutMs)
  const { status, text } = await exchangeSmall(
    http,
    {
      method: 'GET',
      body: '',
      url: new URL(`${baseUrl}${list.path}`),
      headers: { accept: 'application/json', 'user-agent': 'turnkeeper', ...headers },
    },
    { signal: signal === undefined ? late : AbortSignal.any([signal, late]), maxBytes: MAX_BYTES },
  )
  if (status !== 200) throw failure(provider, `answered ${status}`, status)
  const models = list.toModels(parse(provider, text))
  if (models.length === 0) throw failure(provider, 'named no model')
  return models
}

function parse(provider: string, text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    throw failure(provider, 'did not answer with JSON')
  }
}

function failure(provider: string, problem: string, status?: number): TurnkeeperError {
  const reason =
    status === 401 || status === 403 ? 'invalid_key' : status === undefined ? 'non_json' : 'server_error'
  return new TurnkeeperError(reason, `the model list of ${provider} ${problem}`, {
    provider,
    ...(status !== undefined && { status }),
  })
}
