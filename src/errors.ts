/**
 * The one error class and the one table of reasons.
 *
 * An error is classified once, where it is raised: the reason fixes the category and what may be tried next.
 * Nothing here ever holds a key, a prompt or a page of HTML: messages are written by us; what an upstream said stands
 * in `excerpt`, which has passed the redaction of the provider layer and does not leave the process.
 */

export type ProviderCategory =
  | 'auth'
  | 'rate_limit'
  | 'not_found'
  | 'bad_request'
  | 'server'
  | 'network'
  | 'unknown'

export type Category = ProviderCategory | 'config' | 'queue' | 'tool' | 'turn'

/** What may be tried after a failure: the same route again, once only, or another route. */
export type Guidance = {
  readonly category: Category
  readonly sameRoute: 'yes' | 'once' | 'no'
  readonly otherRoute: 'yes' | 'larger_window' | 'no'
}

const guidance = (
  category: Category,
  sameRoute: Guidance['sameRoute'],
  otherRoute: Guidance['otherRoute'],
): Guidance => ({ category, sameRoute, otherRoute })

/** Every reason, with its category and retry guidance (the table of the error reference). */
export const REASONS = {
  invalid_key: guidance('auth', 'no', 'yes'),
  forbidden: guidance('auth', 'no', 'yes'),

  rate_limited: guidance('rate_limit', 'no', 'yes'),
  quota_exhausted: guidance('rate_limit', 'no', 'yes'),

  model_not_found: guidance('not_found', 'no', 'yes'),
  capability_missing: guidance('not_found', 'no', 'yes'),

  invalid_parameter: guidance('bad_request', 'no', 'no'),
  invalid_request: guidance('bad_request', 'no', 'no'),
  too_large: guidance('bad_request', 'no', 'no'),
  content_filter: guidance('bad_request', 'no', 'no'),
  context_length: guidance('bad_request', 'no', 'larger_window'),

  html_payload: guidance('server', 'yes', 'yes'),
  binary_payload: guidance('server', 'yes', 'yes'),
  non_json: guidance('server', 'yes', 'yes'),
  empty_body: guidance('server', 'yes', 'yes'),
  sse_parse: guidance('server', 'yes', 'yes'),
  server_error: guidance('server', 'yes', 'yes'),
  overloaded: guidance('server', 'yes', 'yes'),
  stream_error: guidance('server', 'yes', 'yes'),
  loading: guidance('server', 'yes', 'yes'),
  invalid_tool_arguments: guidance('server', 'once', 'yes'),

  process_failed: guidance('server', 'yes', 'yes'),
  process_missing: guidance('bad_request', 'no', 'yes'),

  connection: guidance('network', 'yes', 'yes'),
  tls: guidance('network', 'no', 'yes'),
  dns: guidance('network', 'no', 'yes'),
  truncated_stream: guidance('network', 'yes', 'yes'),
  stall: guidance('network', 'yes', 'yes'),
  timeout_connect: guidance('network', 'yes', 'yes'),
  timeout_headers: guidance('network', 'yes', 'yes'),
  timeout_first_content: guidance('network', 'yes', 'yes'),
  timeout_total: guidance('network', 'yes', 'yes'),

  unknown: guidance('unknown', 'no', 'yes'),

  no_route: guidance('server', 'no', 'no'),
  breaker_open: guidance('server', 'no', 'no'),
  retry_budget: guidance('server', 'no', 'no'),

  cancelled: guidance('turn', 'no', 'no'),
  deadline: guidance('turn', 'no', 'no'),
  unknown_agent: guidance('turn', 'no', 'no'),
  max_steps: guidance('turn', 'no', 'no'),
  fenced: guidance('turn', 'no', 'no'),
  poisoned: guidance('turn', 'no', 'no'),
  unknown_turn: guidance('turn', 'no', 'no'),
  invalid_input: guidance('turn', 'no', 'no'),

  not_waiting: guidance('turn', 'no', 'no'),
  not_failed: guidance('turn', 'no', 'no'),
  idempotency_conflict: guidance('queue', 'no', 'no'),
  overloaded_queue: guidance('queue', 'yes', 'no'),
  redis_unavailable: guidance('queue', 'yes', 'no'),
  result_timeout: guidance('queue', 'no', 'no'),
  deaf: guidance('queue', 'no', 'no'),

  tool_failed: guidance('tool', 'no', 'no'),
  tool_timeout: guidance('tool', 'no', 'no'),
  tool_output_too_large: guidance('tool', 'no', 'no'),

  invalid_config: guidance('config', 'no', 'no'),
  missing_variable: guidance('config', 'no', 'no'),
  port_in_use: guidance('config', 'no', 'no'),
  redis_unsupported: guidance('config', 'no', 'no'),
} as const satisfies Record<string, Guidance>

export type Reason = keyof typeof REASONS

/** One physical request of a model call, as it is kept in results, errors and spans. */
export type AttemptSummary = {
  readonly route: string
  readonly outcome: 'ok' | 'failed' | 'cancelled'
  /** `<category>/<reason>` of the failure; absent when it went well. */
  readonly code?: string
  /** One sentence of ours; never what the upstream wrote. */
  readonly message?: string
  /** HTTP status, once there was one. */
  readonly status?: number
  readonly requestId?: string
  /** Of the record with the evidence: `turnkeeper records show <id>`. Absent where none was kept. */
  readonly recordId?: string
  /** Id of the credential that was sent. */
  readonly credential?: string
  readonly durationMs: number
  /** Whether an event stream was asked for; absent where nothing was sent. */
  readonly streamed?: boolean
  /** Why it was asked as it was: `tool_turn`, `sse_parse`, `json_fallback`, `tools_shown_safe` … (docs/providers.md). */
  readonly policy?: readonly string[]
  /** Parameters that the provider does not have and that were left out, as `parameters.unknown: warn` allows. */
  readonly notSent?: readonly string[]
  /** US dollars; absent where no price or no usage is known. */
  readonly costUsd?: number
}

export type ErrorDetails = {
  readonly cause?: unknown
  readonly retryAfterMs?: number
  readonly provider?: string
  readonly route?: string
  readonly status?: number
  readonly requestId?: string
  readonly attempts?: readonly AttemptSummary[]
  /** The upstream's own words: one redacted line without markup. Never in a log, a span or a turn's result. */
  readonly excerpt?: string
  /** What had been received before the failure: the provider layer puts an `Answer` here. */
  readonly partial?: unknown
}

/** The form in which an error crosses a process border. */
export type SerializedError = {
  readonly code: string
  readonly category: Category
  readonly reason: Reason
  readonly message: string
  readonly retryable: boolean
  readonly retryAfterMs?: number
  readonly provider?: string
  readonly route?: string
  readonly status?: number
  readonly requestId?: string
  readonly attempts: readonly AttemptSummary[]
}

/**
 * The error of this library. Match on `code` (`<category>/<reason>`), not on the class.
 * `attempts` lists every physical request behind it, first cause first.
 */
export class TurnkeeperError extends Error {
  readonly code: string
  readonly category: Category
  readonly reason: Reason
  readonly retryable: boolean
  /** How long to wait before a retry, in milliseconds, if the upstream said so. */
  readonly retryAfterMs?: number
  readonly provider?: string
  readonly route?: string
  readonly status?: number
  readonly requestId?: string
  readonly attempts: readonly AttemptSummary[]
  readonly excerpt?: string
  readonly partial?: unknown

  constructor(reason: Reason, message: string, details: ErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause })
    const { category, sameRoute, otherRoute } = REASONS[reason]
    this.name = 'TurnkeeperError'
    this.code = `${category}/${reason}`
    this.category = category
    this.reason = reason
    this.retryable = sameRoute !== 'no' || otherRoute !== 'no'
    this.attempts = details.attempts ?? []
    if (details.retryAfterMs !== undefined) this.retryAfterMs = details.retryAfterMs
    if (details.provider !== undefined) this.provider = details.provider
    if (details.route !== undefined) this.route = details.route
    if (details.status !== undefined) this.status = details.status
    if (details.requestId !== undefined) this.requestId = details.requestId
    if (details.excerpt !== undefined) this.excerpt = details.excerpt
    if (details.partial !== undefined) this.partial = details.partial
  }

  /** Everything but `cause`, `partial` and `excerpt`, which may hold content. */
  toJSON(): SerializedError {
    const { code, category, reason, message, retryable, attempts } = this
    return {
      code,
      category,
      reason,
      message,
      retryable,
      attempts,
      ...(this.retryAfterMs !== undefined && { retryAfterMs: this.retryAfterMs }),
      ...(this.provider !== undefined && { provider: this.provider }),
      ...(this.route !== undefined && { route: this.route }),
      ...(this.status !== undefined && { status: this.status }),
      ...(this.requestId !== undefined && { requestId: this.requestId }),
    }
  }
}

/** The same error with more known about it (its route, its attempts); `reason`, `message` and `cause` stay. */
export function withDetails(error: TurnkeeperError, details: ErrorDetails): TurnkeeperError {
  return new TurnkeeperError(error.reason, error.message, {
    ...error,
    ...(error.cause !== undefined && { cause: error.cause }),
    ...details,
  })
}

/** The error that `toJSON` wrote, in another process. An unknown reason becomes `unknown`. */
export function errorFromJson(json: SerializedError): TurnkeeperError {
  const reason = json.reason in REASONS ? json.reason : 'unknown'
  return new TurnkeeperError(reason, json.message, json)
}

/** `error` itself if it is one of ours, else an `unknown` one around it, whose message tells only the class. */
export function toTurnkeeperError(error: unknown, fallback: Reason = 'unknown'): TurnkeeperError {
  if (error instanceof TurnkeeperError) return error
  const name = error instanceof Error ? error.name : typeof error
  return new TurnkeeperError(fallback, `unexpected ${name} inside the runtime`, { cause: error })
}
