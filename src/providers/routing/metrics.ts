import { REASONS } from '../../errors.ts'
import { REDACTED_FIELDS } from '../../telemetry/redaction.ts'
import { ATTR } from '../../telemetry/semconv.ts'
import type { ActiveSpan, Attributes, Telemetry } from '../../telemetry/telemetry.ts'
import type { Silences } from '../attempt/silences.ts'
import { MISSING_REASONS } from '../recorder/recorder.ts'
import type { Usage } from '../types.ts'
import type { AttemptPhase, AttemptReport, ContentKind } from '../upstream.ts'
import type { RouteHealth } from './breaker/mirror.ts'
import { isUsable, MOVES, STATES } from './breaker/states.ts'
import type { CredentialStatus } from './credentials/credentials.ts'
import { FAILURES, OUTCOMES, reportToOutcome } from './outcome.ts'
import type { RouteLabels, RouteTable } from './route-table.ts'

const PHASES = [
  'before_headers',
  'before_content',
  'after_content',
] as const satisfies readonly AttemptPhase[]
const CONTENT_KINDS = [
  'json',
  'sse',
  'ndjson',
  'html',
  'binary',
  'empty',
  'other',
] as const satisfies readonly ContentKind[]
const USUAL_STATUSES = ['200', '400', '401', '404', '429', '500', '502', '503'] as const

/** Puts every counter of every route and alias at 0: `increase()` does not see the first count of a new series. */
export function zeroMetrics(telemetry: Telemetry, { routes, aliases }: RouteTable): void {
  for (const { name: route, provider, model } of routes) {
    for (const outcome of OUTCOMES)
      telemetry.count('provider_attempts_total', { route, provider, model, outcome }, 0)
    for (const phase of PHASES) {
      telemetry.count('provider_html_payload_total', { route, provider, phase }, 0)
      telemetry.count('provider_stall_count_total', { route, provider, phase }, 0)
    }
    for (const reason of MISSING_REASONS)
      telemetry.count('provider_raw_excerpt_missing_total', { route, provider, reason }, 0)
    for (const reason of FAILURES) telemetry.count('provider_retries_total', { route, reason }, 0)
    for (const content_type of CONTENT_KINDS)
      telemetry.count('provider_responses_total', { route, content_type }, 0)
    telemetry.count('provider_request_id_missing_total', { route }, 0)
    for (const status of USUAL_STATUSES) telemetry.count('provider_http_status_total', { route, status }, 0)
    telemetry.count('provider_cost_usd_total', { provider, model }, 0)
    for (const move of MOVES) telemetry.count('route_health_transitions_total', { route, ...move }, 0)
  }
  for (const { alias, routes: own } of aliases) {
    for (const { name: from_route } of own) {
      countUsage(telemetry, { alias, route: from_route }, NO_TOKENS)
      for (const { name: to_route } of own) {
        if (from_route === to_route) continue
        for (const reason of FAILURES)
          telemetry.count('route_reroutes_total', { alias, from_route, to_route, reason }, 0)
      }
    }
  }
  for (const field of REDACTED_FIELDS) telemetry.count('telemetry_redactions_total', { field }, 0)
  telemetry.count('redis_unavailable_seconds_total', {}, 0)
}

/** Rules that only a route can break. */
const OF_ROUTES: readonly string[] = ['html', 'stall', 'errors', 'reroute']

/** The same for the breakers of credentials, named `provider#id`. */
export function zeroCredentialMetrics(telemetry: Telemetry, credentials: readonly string[]): void {
  for (const credential of credentials) {
    for (const move of MOVES.filter(({ reason }) => !OF_ROUTES.includes(reason)))
      telemetry.count('credential_health_transitions_total', { credential, ...move }, 0)
  }
}

/** What the gauges read. */
export type GaugeSources = {
  readonly health: { view(route: string): RouteHealth }
  readonly credentials: { statuses(): readonly CredentialStatus[] }
  readonly scoreOf: (route: string) => number
  readonly silences: Pick<Silences, 'longestMs'>
}

/** Registers the gauges of all routes and credentials, read from memory at each scrape; returns their removal. */
export function registerGauges(
  telemetry: Telemetry,
  table: RouteTable,
  { health, credentials, scoreOf, silences }: GaugeSources,
): () => void {
  const names = table.routes.map(({ name }) => name)
  const removals = [
    telemetry.gauge('route_health_state', () =>
      names.flatMap((route) => {
        const { state: current } = health.view(route)
        return STATES.map((state) => [{ route, state }, state === current ? 1 : 0] as const)
      }),
    ),
    telemetry.gauge('route_unhealthy_since_timestamp_seconds', () =>
      names.map((route) => {
        const { state, openedAt = 0 } = health.view(route)
        return [{ route }, isUsable(state) ? 0 : openedAt / 1000] as const
      }),
    ),
    telemetry.gauge('provider_stream_idle_max_seconds', () =>
      names.map((route) => [{ route }, silences.longestMs(route) / 1000] as const),
    ),
    telemetry.gauge('route_health_score', () => names.map((route) => [{ route }, scoreOf(route)] as const)),
    telemetry.gauge('credential_health_state', () =>
      credentials
        .statuses()
        .flatMap(({ provider, id: credential, state: current }) =>
          STATES.map((state) => [{ provider, credential, state }, state === current ? 1 : 0] as const),
        ),
    ),
    telemetry.gauge('provider_quota_pressure', () =>
      credentials
        .statuses()
        .map(
          ({ provider, id: credential, quotaPressure }) => [{ provider, credential }, quotaPressure] as const,
        ),
    ),
    telemetry.gauge('route_info', () =>
      table.aliases.flatMap(({ alias, routes }) =>
        routes.map(({ name: route, provider, model }) => [{ route, alias, provider, model }, 1] as const),
      ),
    ),
  ]
  return () => {
    for (const remove of removals) remove()
  }
}

/** Counts one attempt: what came back, how long it took, how it broke. */
export function recordAttempt(telemetry: Telemetry, labels: RouteLabels, report: AttemptReport): void {
  const { route, provider, model } = labels
  const { phase, contentKind, status, error, durationMs, idleMs, requestId, streamed } = report
  const outcome = reportToOutcome(report)
  telemetry.count('provider_attempts_total', { route, provider, model, outcome })
  telemetry.record('provider_attempt_duration_seconds', { route, model, outcome }, durationMs / 1000)
  if (contentKind !== undefined)
    telemetry.count('provider_responses_total', { route, content_type: contentKind })
  if (status !== undefined) telemetry.count('provider_http_status_total', { route, status: String(status) })
  if (status !== undefined && requestId === undefined)
    telemetry.count('provider_request_id_missing_total', { route })
  if (status !== undefined && streamed)
    telemetry.record('provider_stream_idle_seconds', { route }, idleMs / 1000)
  if (error?.reason === 'html_payload')
    telemetry.count('provider_html_payload_total', { route, provider, phase })
  if (error?.reason === 'stall') {
    telemetry.count('provider_stall_count_total', { route, provider, phase })
    telemetry.record('provider_stall_duration_seconds', { route }, idleMs / 1000)
  }
}

const NO_TOKENS: Usage = {
  inputTokens: 0,
  outputTokens: 0,
  totalTokens: 0,
  cachedInputTokens: 0,
  reasoningTokens: 0,
}

/** Books the tokens that an upstream reported; what it did not report is not guessed. */
export function countUsage(
  telemetry: Telemetry,
  { alias, route }: { readonly alias: string; readonly route: string },
  usage: Usage | null,
): void {
  if (usage === null) return
  const labels = { gen_ai_operation_name: 'chat', gen_ai_request_model: alias, route }
  const { inputTokens, outputTokens, cachedInputTokens, reasoningTokens } = usage
  if (inputTokens !== null) telemetry.count(USAGE.input, labels, inputTokens)
  if (outputTokens !== null) telemetry.count(USAGE.output, labels, outputTokens)
  if (cachedInputTokens !== null) telemetry.count(USAGE.cached, labels, cachedInputTokens)
  if (reasoningTokens !== null) telemetry.count(USAGE.reasoning, labels, reasoningTokens)
}

const USAGE = {
  input: 'gen_ai_client_inference_usage_input_tokens_total',
  output: 'gen_ai_client_inference_usage_output_tokens_total',
  cached: 'gen_ai_client_inference_usage_cache_read_input_tokens_total',
  reasoning: 'gen_ai_client_inference_usage_reasoning_output_tokens_total',
} as const

/** Books what an attempt cost. */
export function countCost(telemetry: Telemetry, { provider, model }: RouteLabels, costUsd: number): void {
  telemetry.count('provider_cost_usd_total', { provider, model }, costUsd)
}

/**
 * Writes on the span of an attempt how it went: no content, no message. Of a stream the longest silence stands there
 * whether it recovered or not; a stall, which is what did not, is an event at the moment at which it was given up.
 */
export function describeAttempt(span: ActiveSpan, report: AttemptReport): void {
  const { error, phase, status, contentKind, requestId, recordId, streamed, notSent, idleMs } = report
  const idleSeconds = Math.round(idleMs) / 1000
  span.set({
    outcome: reportToOutcome(report),
    phase,
    [ATTR.httpResponseStatusCode]: status,
    'response.kind': contentKind,
    'provider.request_id': requestId,
    'provider.record_id': recordId,
    'attempt.streamed': streamed,
    'stream.idle_seconds': streamed && status !== undefined ? idleSeconds : undefined,
    'parameters.not_sent': notSent?.join(' '),
    [ATTR.errorType]: error?.code,
    'error.category': error && REASONS[error.reason].category,
  })
  if (error?.reason === 'stall') span.event('provider.stall', { 'stall.idle_seconds': idleSeconds, phase })
}

/** One log line for an attempt that went without some of its parameters. */
export function logNotSent(telemetry: Telemetry, { notSent = [] }: AttemptReport, fields: Attributes): void {
  if (notSent.length === 0) return
  telemetry.log.warn({ ...fields, not_sent: notSent }, 'parameters were not sent: the provider has none such')
}

/** One log line for an attempt that failed; nothing for one that went well or was cancelled. */
export function logFailedAttempt(telemetry: Telemetry, report: AttemptReport, fields: Attributes): void {
  const { outcome, error, phase, status, requestId, recordId, durationMs } = report
  if (outcome !== 'failed' || error === undefined) return
  const line = { ...fields, code: error.code, phase, status, request_id: requestId, record_id: recordId }
  telemetry.log.warn({ ...line, duration_ms: Math.round(durationMs) }, 'provider attempt failed')
}
