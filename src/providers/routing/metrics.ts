import { REASONS } from '../../errors.ts'
import type { Attributes, Telemetry } from '../../telemetry/telemetry.ts'
import { MISSING_REASONS } from '../recorder/recorder.ts'
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
    for (const status of USUAL_STATUSES) telemetry.count('provider_http_status_total', { route, status }, 0)
    telemetry.count('provider_cost_usd_total', { provider, model }, 0)
    for (const move of MOVES) telemetry.count('route_health_transitions_total', { route, ...move }, 0)
  }
  for (const { alias, routes: own } of aliases) {
    for (const { name: from_route } of own) {
      for (const { name: to_route } of own) {
        if (from_route === to_route) continue
        for (const reason of FAILURES)
          telemetry.count('route_reroutes_total', { alias, from_route, to_route, reason }, 0)
      }
    }
  }
  telemetry.count('redis_unavailable_seconds_total', {}, 0)
}

/** What the gauges read. */
export type GaugeSources = {
  readonly health: { view(route: string): RouteHealth }
  readonly credentials: { statuses(): readonly CredentialStatus[] }
  readonly scoreOf: (route: string) => number
}

/** Registers the gauges of all routes and credentials, read from memory at each scrape; returns their removal. */
export function registerGauges(
  telemetry: Telemetry,
  table: RouteTable,
  { health, credentials, scoreOf }: GaugeSources,
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
  const { phase, contentKind, status, error, durationMs, idleMs } = report
  const outcome = reportToOutcome(report)
  telemetry.count('provider_attempts_total', { ...labels, outcome })
  telemetry.record('provider_attempt_duration_seconds', { route, model, outcome }, durationMs / 1000)
  if (contentKind !== undefined)
    telemetry.count('provider_responses_total', { route, content_type: contentKind })
  if (status !== undefined) telemetry.count('provider_http_status_total', { route, status: String(status) })
  if (error?.reason === 'html_payload')
    telemetry.count('provider_html_payload_total', { route, provider, phase })
  if (error?.reason === 'stall') {
    telemetry.count('provider_stall_count_total', { route, provider, phase })
    telemetry.record('provider_stall_duration_seconds', { route }, idleMs / 1000)
  }
}

/** Books what an attempt cost. */
export function countCost(telemetry: Telemetry, { provider, model }: RouteLabels, costUsd: number): void {
  telemetry.count('provider_cost_usd_total', { provider, model }, costUsd)
}

/** What the span of an attempt says once it is over: no content, no message. */
export function reportToAttributes(report: AttemptReport): Attributes {
  const { error, phase, status, contentKind, requestId, recordId, streamed, notSent } = report
  return {
    outcome: reportToOutcome(report),
    phase,
    'http.response.status_code': status,
    'response.kind': contentKind,
    'provider.request_id': requestId,
    'provider.record_id': recordId,
    'attempt.streamed': streamed,
    'parameters.not_sent': notSent?.join(' '),
    'error.type': error?.code,
    'error.category': error && REASONS[error.reason].category,
  }
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
