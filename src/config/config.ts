/**
 * The configuration as the rest of the house sees it: everything resolved, defaults filled in, durations in
 * milliseconds, paths absolute, keys behind `Secret`. `load.ts` makes it; nothing else builds one by hand.
 */

import type { LOG_LEVELS } from './defaults.ts'
import type { Patterns } from './patterns.ts'
import type { Secret } from './secret.ts'

export type Config = {
  readonly redis: RedisConfig
  readonly server: ServerConfig
  /** `explicit`: the port stood in the configuration, so it is that one or an error, never the next free one. */
  readonly metrics: Address & { readonly explicit: boolean }
  /** By name. Has no prototype, so looking up a name that a client sent is safe; as `models`. */
  readonly providers: Readonly<Record<string, ProviderConfig>>
  /** By alias. */
  readonly models: Readonly<Record<string, AliasConfig>>
  readonly breakers: BreakersConfig
  readonly routing: RoutingConfig
  readonly probes: ProbesConfig
  readonly queue: QueueConfig
  readonly recorder: RecorderConfig
  readonly telemetry: TelemetryConfig
  /** Absolute path of the module whose default export is the list of agents. */
  readonly agents?: string
}

/** Port 0 lets the system choose. */
export type Address = { readonly host: string; readonly port: number }

export type ServerConfig = Address & {
  /** None: everybody may do everything, and `host` is a loopback address. Ids and hashes are unique. */
  readonly apiKeys: readonly ApiKeyConfig[]
  /** What may be asked without a key. */
  readonly anonymous: readonly ('health' | 'routes')[]
  /** The bearer token of whoever may ask for mitigations; absent: nobody may. */
  readonly alertToken?: Secret
}

/** A key of a client, known by its hash alone. */
export type ApiKeyConfig = {
  readonly id: string
  /** Of the key, in 64 lower-case hexadecimal digits. */
  readonly sha256: string
  /** Of the turns that it enqueues, and whose turns it sees; absent: those without a tenant. */
  readonly tenant?: string
  /** What models that are not aliases must be asked for with; absent: anything. */
  readonly prefixes?: readonly string[]
  /** Patterns of the models, aliases among them, that it may ask for. */
  readonly models: readonly string[]
  /** Sees and decides everything, whatever the tenant. */
  readonly admin: boolean
  /** Absent: as many as it likes. */
  readonly requestsPerMinute?: number
  /** Beyond it no turn is taken from it any more that day (UTC); absent: no limit. */
  readonly budgetUsdPerDay?: number
}

export type RedisConfig = {
  /** `redis://`, `rediss://`, `redis+cluster://`, `redis+sentinel://` or `unix:///path`; default: the variable REDIS_URL; absent means an embedded server. */
  readonly url?: string
  readonly prefix: string
  /** What a write must have outlived before it counts; also what an embedded server keeps over a restart. */
  readonly durability: 'aof' | 'always' | 'none'
  /** Replicas that must have a write before it counts; only with `always`. */
  readonly replicas: number
  /** Absolute path where an embedded server keeps its files. */
  readonly dataDir: string
}

export type ProviderConfig = {
  readonly name: string
  readonly protocol: 'openai-chat' | 'openai-responses' | 'anthropic' | 'ollama' | 'llamacpp-cli'
  readonly dialect:
    | 'openai'
    | 'openrouter'
    | 'azure'
    | 'groq'
    | 'mistral'
    | 'deepseek'
    | 'xai'
    | 'llamacpp'
    | 'ollama'
    | 'generic'
  readonly enabled: boolean
  /** As the vendor's own SDK takes it; without a slash at the end. Absent for `llamacpp-cli` alone. */
  readonly baseUrl?: string
  /** For `llamacpp-cli` alone. */
  readonly command?: CommandConfig
  /** None for a local server. Ids are unique within the provider. */
  readonly credentials: readonly CredentialConfig[]
  /** What clients may write in the place of its name; no other provider has it as name or prefix. */
  readonly prefix?: string
  /** Which of its models may be asked for. */
  readonly models: Patterns
  /** Requests that one process has under way at once; absent: no limit. */
  readonly concurrency?: number
  readonly toolTurns: ToolTurnsConfig
  /** Whether a route that refuses a response format is asked again in plain words. */
  readonly jsonMode: { readonly fallback: boolean }
  readonly parameters: ParametersConfig
  /** `2` offers HTTP/2 to https servers and takes what they choose; many requests then share a connection. */
  readonly http: { readonly version: '1.1' | '2'; readonly connections: number }
  /** Origins from which linked images are fetched by us and sent as bytes; none: links are sent as they are. */
  readonly images: { readonly allow: readonly string[] }
  readonly timeouts: TimeoutsConfig
  readonly limits: LimitsConfig
}

/** A local program: `binary` a name on PATH or an absolute path, `modelsDir` absolute. */
export type CommandConfig = {
  readonly binary: string
  readonly args: readonly string[]
  readonly modelsDir: string
}

/** A key, or a file with the tokens of an OAuth login. `weight` is its share of the traffic against its siblings. */
export type CredentialConfig = { readonly id: string; readonly weight: number } & (
  | { readonly apiKey: Secret }
  | { readonly oauth: OAuthConfig }
)

export type OAuthConfig = {
  /** Absolute path of a JSON file: access_token, refresh_token, expires_at. */
  readonly tokenFile: string
  readonly tokenUrl: string
  readonly clientId: string
}

/** Whether turns with tools are streamed. */
export type ToolTurnsConfig = {
  /** `auto`: not until a probe has shown the route safe. */
  readonly stream: boolean | 'auto'
  /** The same for single models of the provider, by their names. */
  readonly routes: Readonly<Record<string, boolean | 'auto'>>
}

export type ParametersConfig = {
  /** What becomes of a request with parameters that the provider does not have. */
  readonly unknown: 'reject' | 'warn'
  /** By neutral name; for requests that do not say it themselves. */
  readonly defaults: Readonly<Record<string, unknown>>
}

/** All in milliseconds; meaning as in the provider contract. */
export type TimeoutsConfig = {
  readonly connectMs: number
  readonly headersMs: number
  readonly firstContentMs: number
  readonly idleMs: number
  readonly totalMs: number
}

/** All in bytes. */
export type LimitsConfig = {
  readonly bodyBytes: number
  readonly eventBytes: number
  readonly toolArgumentBytes: number
  /** A tool whose schema is larger is reported when a worker starts. */
  readonly toolSchemaBytes: number
}

export type AliasConfig = {
  readonly alias: string
  readonly strategy: Strategy
  /** At least one, in configured order, without duplicates; each names a configured provider. */
  readonly routes: readonly WeightedRoute[]
  /** When the alias moves to another one by itself; absent: never. */
  readonly mitigation?: MitigationConfig
}

/** Errors of the first route of an alias, as shares of its attempts within the window. */
export type MitigationConfig = {
  /** Another alias; no chain of them leads back. */
  readonly fallback: string
  /** More than this share (0 to 1) is said. */
  readonly warn: number
  /** More than this share moves the alias. */
  readonly critical: number
  readonly windowMs: number
  /** Attempts within the window below which nothing is concluded. */
  readonly minAttempts: number
  /** How long nothing goes to the alias's own routes. */
  readonly holdMs: number
}

/** How an alias orders its routes. */
export type Strategy = 'first_available' | 'first_healthy' | 'best_effort' | 'cheapest' | 'fastest'

/** `name` is `provider/model`; the model may contain more slashes. */
export type RouteConfig = { readonly name: string; readonly provider: string; readonly model: string }

/** Neighbours with a weight share one place of the order and split its traffic by their weights. */
export type WeightedRoute = RouteConfig & { readonly weight?: number }

export type BreakersConfig = {
  readonly html: BreakerConfig
  readonly stall: BreakerConfig
  readonly errors: ErrorsBreakerConfig
  readonly auth: AuthBreakerConfig
}

export type BreakerConfig = {
  /** Failures within the window that are still borne: one more opens the breaker. */
  readonly over: number
  readonly windowMs: number
  /** How long the first opening lasts; doubled at each failed probe up to `maxMs`. */
  readonly openMs: number
  readonly maxMs: number
  /** Share of the attempts (0 to 1) that the failures must reach as well. */
  readonly minRatio: number
}

/** Any failure of the upstream's making, as a share of the attempts. */
export type ErrorsBreakerConfig = {
  /** Share of the attempts (0 to 1) at which the route opens. */
  readonly ratio: number
  /** Attempts within the window below which nothing is concluded. */
  readonly min: number
  readonly windowMs: number
  readonly openMs: number
  readonly maxMs: number
  /** Share of the attempts at which the route is degraded. */
  readonly warn: number
}

/** Refusals of a credential within the window that are still borne: one more opens it. */
export type AuthBreakerConfig = { readonly over: number; readonly windowMs: number }

export type RoutingConfig = {
  /** Clients name models by aliases, or with the prefix of a provider that has one; bare model names lead nowhere. */
  readonly forceModelPrefix: boolean
  /** Second tries on the same route. */
  readonly retries: number
  /** Physical requests of one model call, all routes together. */
  readonly maxAttempts: number
  readonly backoff: { readonly baseMs: number; readonly maxMs: number }
  /** Further attempts as a share of the successes; three are always free. */
  readonly retryBudget: number
  /** How long a credential rests after a 429: what the upstream asks for up to `maxMs`, or `defaultMs`. */
  readonly cooldown: { readonly defaultMs: number; readonly maxMs: number }
}

/** Probes of how routes can be asked: streamed, with tools, in JSON. */
export type ProbesConfig = {
  /** Whether workers send them by themselves. */
  readonly enabled: boolean
  /** How long what was found holds. */
  readonly ttlMs: number
  /** Of the whole fleet; the day is that of UTC. */
  readonly budgetUsdPerDay: number
}

export type QueueConfig = {
  readonly name: string
  /** Turns that one worker runs at once. */
  readonly concurrency: number
  readonly lockMs: number
  readonly stalledCheckMs: number
  /** Nothing is accepted while a turn that could start has waited longer than this, in milliseconds. */
  readonly maxQueueAgeMs: number
  readonly resultTtlMs: number
  readonly eventTtlMs: number
  readonly tenants: TenantsConfig
}

/** Limits by tenant; `default` is for every tenant that is not named, and for turns that name none. */
export type TenantsConfig = { readonly default: TenantLimits } & Readonly<Record<string, TenantLimits>>

export type TenantLimits = {
  /** Turns that run at once, in the whole fleet; more of them wait. */
  readonly running: number
  /** Turns that have been accepted and do not run; more of them are refused. */
  readonly queued: number
}

export type RecorderConfig = {
  /** Absolute path of the folder for the raw bytes. */
  readonly dir: string
  /** Most bytes of readable text in a record. */
  readonly excerptBytes: number
  /** Most bytes of a body that are kept as they came. */
  readonly rawBytes: number
  /** Age at which a record and its file are removed. */
  readonly keepMs: number
  /** Share of the good attempts that is recorded, 0 to 1; failed ones always are. */
  readonly sample: number
  /** Whether what we sent stands in the record of a failed attempt; it holds prompts. */
  readonly request: 'never' | 'failed'
}

export type TelemetryConfig = {
  /** Base URL of an OTLP/HTTP receiver; absent means no traces. */
  readonly otlpEndpoint?: string
  /** Metrics are sent there too, besides being shown on the page for Prometheus. */
  readonly otlpMetrics: boolean
  /** Share of traces kept, 0 to 1. */
  readonly sampling: number
  /** Whether prompts, answers, tool arguments and results stand in spans. */
  readonly captureContent: boolean
  readonly logLevel: LogLevel
  /** File to which lines about the routes are appended; absent: none. */
  readonly jsonl?: string
}

/** The least that is logged. */
export type LogLevel = (typeof LOG_LEVELS)[number]
