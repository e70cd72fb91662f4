import type { Dashboard } from '@grafana/grafana-foundation-sdk/dashboard'
import { dashboard } from '../frame.ts'
import { tracesLink } from '../links.ts'
import { lines, table } from '../panels.ts'
import { grown, mean, quantile, rate, selector } from '../promql.ts'
import { LIMITS } from '../thresholds.ts'

const jobs = selector(['job'])
const ofModel = selector(['model'])
const own = selector(['job', 'model'])
/** Logical calls carry the route that answered; what a client asked for is the alias. */
const calls = selector(['job', 'route'])
const ALIAS = 'gen_ai_request_model'
const traces = [tracesLink('gen_ai.request.model', ALIAS)]

const errors = [
  lines({
    title: 'Failed attempts by model, 10 min',
    description:
      'Share of attempts that failed for the upstream’s reasons. 2 % warns, 5 % moves the alias to its fallback.',
    unit: 'percentunit',
    min: 0,
    queries: [
      { expr: `model:provider_attempt_errors:ratio10m{${ofModel}}`, legend: '{{provider}}/{{model}}' },
    ],
    limits: LIMITS.errorRatio,
    width: 12,
  }),
  lines({
    title: 'Attempts by model, 10 min',
    description: 'Below 20 attempts in 10 minutes the ratio beside it raises no alert.',
    unit: 'suffix: attempts',
    decimals: 0,
    min: 0,
    queries: [{ expr: `model:provider_attempts:increase10m{${ofModel}}`, legend: '{{provider}}/{{model}}' }],
    limits: LIMITS.attempts,
    width: 12,
  }),
  table({
    title: 'Outcomes by model',
    description: 'Attempts in the time on screen, by how they ended.',
    unit: 'none',
    decimals: 0,
    queries: [
      { expr: grown('provider_attempts_total', 'provider, model, outcome', own), legend: 'attempts' },
    ],
    width: 12,
  }),
  lines({
    title: 'Translation errors, 10 min',
    description:
      'Calls that the protocol of a route cannot say, so that nothing was sent. More than five raise an alert.',
    unit: 'suffix: calls',
    decimals: 0,
    min: 0,
    queries: [
      {
        expr: `sum by (from, to) (increase(translation_errors_total{${jobs}}[10m]))`,
        legend: '{{from}} → {{to}}',
      },
    ],
    limits: LIMITS.translationErrors,
    width: 12,
  }),
]

const latency = [
  lines({
    title: 'Model calls, p50 and p95',
    description: 'A logical call with all its retries and reroutes, by the alias that was asked for.',
    unit: 's',
    queries: [
      {
        expr: quantile(0.5, 'gen_ai_client_inference_duration_seconds', ALIAS, calls),
        legend: `{{${ALIAS}}} p50`,
      },
      {
        expr: quantile(0.95, 'gen_ai_client_inference_duration_seconds', ALIAS, calls),
        legend: `{{${ALIAS}}} p95`,
      },
    ],
    links: traces,
    width: 12,
  }),
  lines({
    title: 'Time to the first content, p50 and p95',
    description: 'From the start of a logical call to its first content. A p95 above 10 s raises an alert.',
    unit: 's',
    queries: [
      {
        expr: quantile(0.5, 'gen_ai_client_inference_time_to_first_chunk_seconds', ALIAS, calls),
        legend: `{{${ALIAS}}} p50`,
      },
      {
        expr: quantile(0.95, 'gen_ai_client_inference_time_to_first_chunk_seconds', ALIAS, calls),
        legend: `{{${ALIAS}}} p95`,
      },
    ],
    limits: LIMITS.firstChunkSeconds,
    links: traces,
    width: 12,
  }),
  lines({
    title: 'Model calls by route',
    description: 'Which routes answer: logical calls that ended there, a second.',
    unit: 'suffix: calls/s',
    queries: [
      { expr: rate('gen_ai_client_inference_duration_seconds_count', 'route', calls), legend: '{{route}}' },
    ],
    links: [tracesLink('route', 'route')],
    width: 12,
  }),
  lines({
    title: 'Mean time to the first content by route',
    description: 'How routes compare, for the strategy `fastest` too.',
    unit: 's',
    queries: [
      {
        expr: mean('gen_ai_client_inference_time_to_first_chunk_seconds', 'route', calls),
        legend: '{{route}}',
      },
    ],
    links: [tracesLink('route', 'route')],
    width: 12,
  }),
]

const tokens = [
  lines({
    title: 'Output tokens',
    description: 'Tokens that upstreams say they wrote, a second, by the route that wrote them.',
    unit: 'suffix: tokens/s',
    queries: [
      {
        expr: rate('gen_ai_client_inference_usage_output_tokens_total', 'route', calls),
        legend: '{{route}}',
      },
    ],
    width: 8,
  }),
  lines({
    title: 'Input tokens',
    description: 'Tokens that upstreams say they read, cached ones included, a second.',
    unit: 'suffix: tokens/s',
    queries: [
      { expr: rate('gen_ai_client_inference_usage_input_tokens_total', 'route', calls), legend: '{{route}}' },
    ],
    width: 8,
  }),
  lines({
    title: 'Share of input from the cache',
    description: 'Input tokens that upstreams read from their prompt cache. 0 where they report none.',
    unit: 'percentunit',
    min: 0,
    max: 1,
    queries: [
      {
        expr: `${rate('gen_ai_client_inference_usage_cache_read_input_tokens_total', 'route', calls)} / (${rate('gen_ai_client_inference_usage_input_tokens_total', 'route', calls)} > 0)`,
        legend: '{{route}}',
      },
    ],
    width: 8,
  }),
  lines({
    title: 'Reasoning tokens',
    description:
      'Output tokens that upstreams report as reasoning, a second. They cost and nobody sees them.',
    unit: 'suffix: tokens/s',
    queries: [
      {
        expr: rate('gen_ai_client_inference_usage_reasoning_output_tokens_total', 'route', calls),
        legend: '{{route}}',
      },
    ],
    width: 12,
  }),
  lines(
    {
      title: 'Cost by model',
      description: 'What attempts cost in an hour at this pace.',
      unit: 'currencyUSD',
      decimals: 4,
      queries: [
        {
          expr: `${rate('provider_cost_usd_total', 'provider, model', own)} * 3600`,
          legend: '{{provider}}/{{model}}',
        },
      ],
      width: 12,
    },
    { stacked: true },
  ),
]

/** How good, how fast and how dear each model is. */
export function models(): Dashboard {
  return dashboard({
    uid: 'turnkeeper-models',
    title: 'models',
    description: 'How good, how fast and how dear each model is.',
    variables: ['job', 'route', 'model'],
    sections: [
      { title: 'Errors', panels: errors },
      { title: 'Latency', panels: latency },
      { title: 'Tokens and cost', panels: tokens },
    ],
  })
}
