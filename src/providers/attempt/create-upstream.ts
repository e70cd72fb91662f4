import { TurnkeeperError, toTurnkeeperError, withDetails } from '../../errors.ts'
import { noTelemetry } from '../../telemetry/none.ts'
import { createRedactor, type Redactor } from '../../telemetry/redaction.ts'
import type { Telemetry } from '../../telemetry/telemetry.ts'
import { createCollector } from '../collect.ts'
import { createHttpClient, type HttpClient } from '../http.ts'
import type { LlamaCommand } from '../llamacpp-cli/command.ts'
import { createLlamaUpstream } from '../llamacpp-cli/upstream.ts'
import { checkParameters, type UnknownPolicy } from '../parameters/check.ts'
import { checkedUpstream } from '../parameters/checked-upstream.ts'
import { DIALECTS, type DialectName } from '../protocols/dialects.ts'
import type { ProtocolName } from '../protocols/protocol.ts'
import { PROTOCOLS } from '../protocols/registry.ts'
import type { EvidenceOptions } from '../recorder/evidence.ts'
import type { Limits, ModelParameters, ModelRequest, PartSink, Timeouts } from '../types.ts'
import type { AttemptOptions, AttemptReport, Upstream } from '../upstream.ts'
import { runAttempt } from './attempt.ts'
import { type ImageFetcher, inlineImages } from './images.ts'
import type { Silences } from './silences.ts'
import { spanAttributesOf, type Target } from './target.ts'

export type UpstreamOptions = {
  /** `llamacpp-cli` is no wire format: it runs a local process, as `command` says. */
  readonly protocol: ProtocolName | 'llamacpp-cli'
  /** Default `generic`. */
  readonly dialect?: DialectName
  /** What the vendor's own SDK takes: with `/v1` for OpenAI-style servers. A query is kept. Needed but for `llamacpp-cli`. */
  readonly baseUrl?: string
  /** For `llamacpp-cli`, which alone needs it. */
  readonly command?: LlamaCommand
  /** Path after the base URL, instead of the protocol's own. */
  readonly endpoint?: string
  readonly apiKey?: string
  readonly model: string
  /** `provider/model`. Default: host of the base URL and model. */
  readonly route?: string
  /** Name of the provider. Default: host of the base URL. */
  readonly provider?: string
  /** Whether event streams are asked for. Default true. */
  readonly stream?: boolean
  /** Sent with every request, instead of ours where the names are equal. */
  readonly headers?: Readonly<Record<string, string>>
  /** Parameters of every request that does not set them itself. */
  readonly parameters?: ModelParameters
  /** What becomes of parameters that the vendor does not have. Default `reject`. */
  readonly unknownParameters?: UnknownPolicy
  readonly timeouts?: Partial<Timeouts>
  readonly limits?: Partial<Limits>
  /** Shared connections; closed by who made them. Default: a client of its own that is never closed. */
  readonly http?: HttpClient
  readonly telemetry?: Telemetry
  /** Of what is quoted in errors. Default: one that knows the key. */
  readonly redactor?: Redactor
  /** Fetches linked images, so that the upstream gets bytes. Default: links are sent as they are. */
  readonly images?: Pick<ImageFetcher, 'fetch'>
  /** Where streams that are open show how silent they are. Default: nowhere. */
  readonly silences?: Silences
  /** How much of each exchange is kept for a recorder. Default: nothing. */
  readonly evidence?: EvidenceOptions
}

/** 10 s to connect, 60 s to the headers and between contents, 30 s of silence, 10 min in all. */
export const DEFAULT_TIMEOUTS: Timeouts = {
  connectMs: 10_000,
  headersMs: 60_000,
  firstContentMs: 60_000,
  idleMs: 30_000,
  totalMs: 600_000,
}

/** 4 MB of body, 1 MB of one event, 256 KB of arguments of one tool call. */
export const DEFAULT_LIMITS: Limits = {
  bodyBytes: 4_194_304,
  eventBytes: 1_048_576,
  toolArgumentBytes: 262_144,
}

/** One route. Throws `config/invalid_config` for options that cannot work; makes no connection yet. */
export function createUpstream(options: UpstreamOptions): Upstream {
  const upstream = options.protocol === 'llamacpp-cli' ? toLlamaUpstream(options) : toHttpUpstream(options)
  const { protocol, dialect = 'generic', provider, parameters: defaults = {} } = options
  const path = provider === undefined ? 'parameters' : `providers.${provider}.parameters.defaults`
  // Defaults that the vendor would refuse are a mistake of the configuration, not of each request.
  const { refusal } = checkParameters({ ...defaults }, { protocol, dialect, path })
  if (refusal) throw new TurnkeeperError('invalid_config', refusal.message)
  return checkedUpstream(upstream, {
    ...{ protocol, dialect, defaults },
    unknown: options.unknownParameters ?? 'reject',
    provider: provider ?? upstream.route.split('/', 1)[0] ?? '',
  })
}

function toHttpUpstream(options: UpstreamOptions): Upstream {
  const target = toTarget(options)
  return {
    route: target.route,
    attempt: (request, emit, attemptOptions) =>
      options.images === undefined
        ? runAttempt(target, request, emit, attemptOptions)
        : attemptWithImages(options.images, { target, request, emit, attemptOptions }),
  }
}

type Attempting = {
  readonly target: Target
  readonly request: ModelRequest
  readonly emit: PartSink
  readonly attemptOptions: AttemptOptions | undefined
}

/** Gets the images first; one that cannot be had fails the attempt before anything is sent (U1). */
async function attemptWithImages(
  images: Pick<ImageFetcher, 'fetch'>,
  { target, request, emit, attemptOptions = {} }: Attempting,
): Promise<AttemptReport> {
  const { signal, stream: streamed = target.stream } = attemptOptions
  const { route, provider } = target
  const startedAt = performance.now()
  try {
    const inlined = await inlineImages(request, images, signal && { signal })
    return await runAttempt(target, inlined, emit, attemptOptions)
  } catch (cause) {
    const isCancelled = signal?.aborted === true
    const partial = createCollector(route).answer()
    const error = isCancelled
      ? new TurnkeeperError('cancelled', 'the model call was cancelled', { route, provider, partial })
      : withDetails(toTurnkeeperError(cause), { route, provider, partial })
    const outcome = isCancelled ? 'cancelled' : 'failed'
    const durationMs = performance.now() - startedAt
    return { route, outcome, error, phase: 'before_headers', streamed, usage: null, durationMs, idleMs: 0 }
  }
}

function toLlamaUpstream(options: UpstreamOptions): Upstream {
  const { command, model, stream = true, provider = 'llamacpp-cli' } = options
  if (command === undefined) {
    throw new TurnkeeperError('invalid_config', 'protocol llamacpp-cli needs command: { binary, modelsDir }')
  }
  return createLlamaUpstream({
    ...{ command, model, stream, provider },
    route: options.route ?? `${provider}/${model}`,
    timeouts: { ...DEFAULT_TIMEOUTS, ...options.timeouts },
    limits: { ...DEFAULT_LIMITS, ...options.limits },
  })
}

function toTarget(options: UpstreamOptions): Target {
  const { dialect = 'generic', apiKey, model, stream = true, headers = {}, telemetry = noTelemetry } = options
  const protocol = known('protocol', options.protocol, PROTOCOLS)
  const timeouts = { ...DEFAULT_TIMEOUTS, ...options.timeouts }
  const url = endpointUrl(options.baseUrl, options.endpoint ?? protocol.path)
  const { provider = url.hostname } = options
  const route = options.route ?? `${provider}/${model}`
  return {
    protocol,
    dialect: known('dialect', dialect, DIALECTS),
    url,
    model,
    provider,
    route,
    spanAttributes: spanAttributesOf(url, route),
    ...(apiKey !== undefined && apiKey !== '' && { apiKey }),
    stream,
    headers: lowerCased(headers),
    timeouts,
    limits: { ...DEFAULT_LIMITS, ...options.limits },
    http: options.http ?? createHttpClient({ connectMs: timeouts.connectMs }),
    telemetry,
    redactor: options.redactor ?? createRedactor(apiKey === undefined ? [] : [apiKey]),
    ...(options.silences && { silences: options.silences }),
    ...(options.evidence && { evidence: options.evidence }),
  }
}

function known<T>(what: string, name: string, table: Readonly<Record<string, T>>): T {
  const found = Object.hasOwn(table, name) ? table[name] : undefined
  if (found !== undefined) return found
  const names = Object.keys(table).join(', ')
  throw new TurnkeeperError(
    'invalid_config',
    `unknown ${what} ${JSON.stringify(name)}: expected one of ${names}`,
  )
}

/** The base URL with `path` after its own path and before its query. */
function endpointUrl(baseUrl: string | undefined, path: string): URL {
  if (baseUrl === undefined || !URL.canParse(baseUrl) || !/^https?:/i.test(baseUrl)) {
    throw new TurnkeeperError('invalid_config', 'baseUrl must be an absolute http or https URL')
  }
  const url = new URL(baseUrl)
  url.pathname = `${url.pathname.replace(/\/+$/, '')}/${path.replace(/^\/+/, '')}`
  return url
}

function lowerCased(headers: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]))
}
