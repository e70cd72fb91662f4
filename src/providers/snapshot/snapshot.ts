/**
 * How the providers stand, read from the metrics pages of running processes, in the shape of `GET /v1/metrics/providers`.
 *
 * A page tells counts since its process has started and no last error, no reason, no next probe: those are null, and
 * so is a rate, for which two looks are needed.
 */

import type { Sample } from '../../telemetry/metrics/samples.ts'
import { STATES } from '../routing/breaker/states.ts'
import type { Outcome } from '../routing/outcome.ts'

export type Quantiles = { readonly p50: number | null; readonly p95: number | null }

export type RouteSnapshot = {
  readonly state: string | null
  /** ISO time since which it is open or half-open. */
  readonly since: string | null
  readonly reason: null
  readonly nextProbeAt: null
  readonly attempts: number
  readonly successes: number
  /** null before the first attempt. */
  readonly successRatio: number | null
  readonly errors: Readonly<Record<string, number>>
  readonly html: number
  readonly htmlPayloadRate: null
  readonly stallCount: number
  readonly lastError: null
  readonly lastErrorAt: null
  readonly lastAttemptAt: null
  readonly latencyMs: Quantiles
  readonly firstContentMs: Quantiles
  readonly tokens: { readonly input: number; readonly output: number }
  readonly costUsd: number
  readonly healthScore: number | null
}

export type CredentialSnapshot = {
  readonly state: string | null
  readonly cooldownUntil: null
  readonly quotaPressure: number | null
}

export type ProviderSnapshot = {
  readonly credentials: Readonly<Record<string, CredentialSnapshot>>
  readonly routes: Readonly<Record<string, RouteSnapshot>>
}

export type MetricsSnapshot = {
  readonly generatedAt: string
  readonly window: 'since_start'
  /** How many pages were read. */
  readonly processes: number
  readonly providers: Readonly<Record<string, ProviderSnapshot>>
}

/** The category of an error by the outcome that metrics name. */
const CATEGORIES: Readonly<Partial<Record<Outcome, string>>> = {
  html: 'server',
  invalid_response: 'server',
  http_5xx: 'server',
  stall: 'network',
  timeout: 'network',
  network: 'network',
  http_429: 'rate_limit',
  auth: 'auth',
  client_error: 'bad_request',
}

/** One picture of several pages: counts added, states the worst that one of them sees, scores averaged. */
export function samplesToSnapshot(pages: readonly (readonly Sample[])[], now: Date): MetricsSnapshot {
  const samples = pages.flat()
  const providers: Record<string, ProviderSnapshot> = {}
  for (const { labels } of samples.filter(({ name }) => name === 'provider_attempts_total')) {
    const { provider = '', route = '', model = '' } = labels
    const known = providers[provider]
    if (known?.routes[route]) continue
    const routes = { ...known?.routes, [route]: routeSnapshot(samples, { provider, route, model }) }
    providers[provider] = { credentials: credentialsOf(samples, provider), routes }
  }
  return { generatedAt: now.toISOString(), window: 'since_start', processes: pages.length, providers }
}

/** A line a route, each complete by itself; `more` stands in each. */
export function snapshotToLines(
  { generatedAt, window, providers }: MetricsSnapshot,
  more: Readonly<Record<string, string>> = {},
): readonly string[] {
  return Object.entries(providers).flatMap(([provider, { routes }]) =>
    Object.entries(routes).map(([route, figures]) =>
      JSON.stringify({ generatedAt, window, ...more, provider, route, ...figures }),
    ),
  )
}

type RouteLabels = { readonly provider: string; readonly route: string; readonly model: string }

function routeSnapshot(samples: readonly Sample[], { provider, route, model }: RouteLabels): RouteSnapshot {
  const own = samples.filter(({ labels }) => labels.route === route)
  const attempts = own.filter(({ name }) => name === 'provider_attempts_total')
  const successes = total(attempts.filter(({ labels }) => labels.outcome === 'ok'))
  const ended = total(attempts.filter(({ labels }) => labels.outcome !== 'cancelled'))
  const scores = named(own, 'route_health_score')
  const sinces = named(own, 'route_unhealthy_since_timestamp_seconds').filter(({ value }) => value > 0)
  const cost = named(samples, 'provider_cost_usd_total')
  const usage = 'gen_ai_client_inference_usage'
  return {
    state: worstState(named(own, 'route_health_state')),
    since: sinces.length === 0 ? null : isoTime(Math.min(...sinces.map(({ value }) => value))),
    reason: null,
    nextProbeAt: null,
    attempts: total(attempts),
    successes,
    successRatio: ended === 0 ? null : successes / ended,
    errors: errorsOf(attempts),
    html: total(named(own, 'provider_html_payload_total')),
    htmlPayloadRate: null,
    stallCount: total(named(own, 'provider_stall_count_total')),
    lastError: null,
    lastErrorAt: null,
    lastAttemptAt: null,
    latencyMs: quantilesOf(named(own, 'provider_attempt_duration_seconds_bucket')),
    firstContentMs: quantilesOf(named(own, 'gen_ai_client_inference_time_to_first_chunk_seconds_bucket')),
    tokens: {
      input: total(named(own, `${usage}_input_tokens_total`)),
      output: total(named(own, `${usage}_output_tokens_total`)),
    },
    costUsd: total(cost.filter(({ labels }) => labels.provider === provider && labels.model === model)),
    healthScore: scores.length === 0 ? null : total(scores) / scores.length,
  }
}

function credentialsOf(samples: readonly Sample[], provider: string): Record<string, CredentialSnapshot> {
  const own = samples.filter(({ labels }) => labels.provider === provider && labels.credential !== undefined)
  const ids = new Set(own.map(({ labels: { credential = '' } }) => credential))
  return Object.fromEntries(
    [...ids].map((id) => {
      const of = own.filter(({ labels }) => labels.credential === id)
      const pressures = named(of, 'provider_quota_pressure').map(({ value }) => value)
      const quotaPressure = pressures.length === 0 ? null : Math.max(...pressures)
      const state = worstState(named(of, 'credential_health_state'))
      return [id, { state, cooldownUntil: null, quotaPressure }]
    }),
  )
}

function named(samples: readonly Sample[], name: string): readonly Sample[] {
  return samples.filter((sample) => sample.name === name)
}

function total(samples: readonly Sample[]): number {
  return samples.reduce((sum, { value }) => sum + value, 0)
}

function worstState(oneHot: readonly Sample[]): string | null {
  const seen = oneHot.filter(({ value }) => value === 1).map(({ labels }) => labels.state)
  return STATES.findLast((state) => seen.includes(state)) ?? null
}

function errorsOf(attempts: readonly Sample[]): Record<string, number> {
  const errors: Record<string, number> = {}
  for (const { labels, value } of attempts) {
    const category = CATEGORIES[labels.outcome as Outcome] // a label that our own processes wrote
    if (category !== undefined && value > 0) errors[category] = (errors[category] ?? 0) + value
  }
  return errors
}

/** Of buckets of seconds, in milliseconds; within a bucket by straight line, as PromQL does it. */
function quantilesOf(buckets: readonly Sample[]): Quantiles {
  const byLimit = new Map<number, number>()
  for (const { labels, value } of buckets) {
    const limit = labels.le === '+Inf' ? Number.POSITIVE_INFINITY : Number(labels.le)
    byLimit.set(limit, (byLimit.get(limit) ?? 0) + value)
  }
  const steps = [...byLimit].sort(([a], [b]) => a - b)
  return { p50: quantile(steps, 0.5), p95: quantile(steps, 0.95) }
}

function quantile(steps: readonly (readonly [limit: number, count: number])[], share: number): number | null {
  const rank = share * (steps.at(-1)?.[1] ?? 0)
  if (rank === 0) return null
  let below: readonly [number, number] = [0, 0]
  for (const step of steps) {
    if (step[1] >= rank) {
      // beyond the last limit nothing is known but that limit
      if (step[0] === Number.POSITIVE_INFINITY) return Math.round(below[0] * 1000)
      const within = (rank - below[1]) / (step[1] - below[1])
      return Math.round((below[0] + (step[0] - below[0]) * within) * 1000)
    }
    below = step
  }
  return null
}

function isoTime(seconds: number): string {
  return new Date(seconds * 1000).toISOString()
}
