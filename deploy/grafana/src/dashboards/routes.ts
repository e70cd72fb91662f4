import type { Dashboard } from '@grafana/grafana-foundation-sdk/dashboard'
import { dashboard } from '../frame.ts'
import { consoleLink, tracesLink } from '../links.ts'
import { ATTEMPT_COLORS, BREAKER, CONTENT_COLORS, HELD, STATUS_COLORS } from '../meanings.ts'
import { lines, states, table } from '../panels.ts'
import { grown, quantile, rate, selector, shared } from '../promql.ts'
import { FLOORS, LIMITS } from '../thresholds.ts'

const ofRoute = selector(['route'])
const own = selector(['job', 'route'])
const evidence = [tracesLink('route', 'route'), consoleLink('route')]

const breakers = [
  states(
    {
      title: 'Breakers of routes',
      description:
        'State of each route for the whole fleet. Open: no traffic until a probe succeeds. Degraded: after the closed ones.',
      unit: 'none',
      queries: [{ expr: `route:route_health_state:code{${ofRoute}}`, legend: '{{route}}' }],
      links: evidence,
      width: 16,
      height: 9,
    },
    BREAKER,
  ),
  table({
    title: 'Out of use for',
    description: 'How long each open or half-open route has been so. 15 minutes page.',
    unit: 's',
    queries: [
      {
        expr: `time() - (${shared('route_unhealthy_since_timestamp_seconds', 'route', ofRoute)} > 0)`,
        legend: 'out of use for',
      },
    ],
    limits: LIMITS.unhealthySeconds,
    links: evidence,
    width: 8,
    height: 9,
  }),
  lines({
    title: 'Health score',
    description:
      'Breaker state times what the processes have seen of the route lately, from 0 to 1; the worst of them.',
    unit: 'percentunit',
    min: 0,
    max: 1,
    queries: [{ expr: `min by (route) (route_health_score{${own}})`, legend: '{{route}}' }],
    limits: FLOORS.healthScore,
    links: evidence,
    width: 12,
  }),
  states(
    {
      title: 'Breakers of credentials',
      description: 'A credential opens when it is refused, until it changes or a model list answers it.',
      unit: 'none',
      queries: [
        {
          expr: 'max by (provider, credential) (credential_health_state{state="open"} * 3 or credential_health_state{state="half_open"} * 2 or credential_health_state{state="degraded"} or credential_health_state{state="closed"} * 0)',
          legend: '{{credential}} of {{provider}}',
        },
      ],
      width: 12,
    },
    BREAKER,
  ),
]

const symptoms = [
  lines({
    title: 'HTML instead of JSON',
    description: 'HTML payloads a minute. Above 2 an alert fires; the record shows the page that came.',
    unit: 'suffix: /min',
    min: 0,
    queries: [{ expr: `provider_html_payload_rate{${ofRoute}}`, legend: '{{route}}' }],
    limits: LIMITS.htmlPerMinute,
    links: evidence,
    width: 8,
  }),
  lines({
    title: 'Stalls in 5 minutes',
    description: 'Attempts given up because nothing came for the idle limit (30 s by default).',
    unit: 'suffix: stalls',
    decimals: 0,
    min: 0,
    queries: [{ expr: `provider_stall_count{${ofRoute}}`, legend: '{{route}}' }],
    limits: LIMITS.stalls,
    links: evidence,
    width: 8,
  }),
  lines({
    title: 'Longest silence of a stream now',
    description: 'Of the streams open at this moment, the one that has been silent longest.',
    unit: 's',
    min: 0,
    queries: [{ expr: shared('provider_stream_idle_max_seconds', 'route', own), legend: '{{route}}' }],
    limits: LIMITS.idleSeconds,
    links: evidence,
    width: 8,
  }),
  lines({
    title: 'Failures without an excerpt',
    description:
      'Failed attempts of the last 10 minutes whose record could not be kept. There should be none.',
    unit: 'suffix: failures',
    decimals: 0,
    min: 0,
    queries: [{ expr: `provider_raw_excerpt_missing{${ofRoute}}`, legend: '{{route}}' }],
    limits: LIMITS.excerptsMissing,
    links: evidence,
    width: 8,
  }),
  lines({
    title: 'Silence of streams, p99',
    description:
      'The longest silence of each stream that ended, 99th percentile. Near the idle limit is a warning.',
    unit: 's',
    min: 0,
    queries: [{ expr: quantile(0.99, 'provider_stream_idle_seconds', 'route', own), legend: '{{route}}' }],
    limits: LIMITS.idleSeconds,
    links: evidence,
    width: 8,
  }),
  lines({
    title: 'Quota pressure',
    description: 'Share of 429s among the recent answers to each credential.',
    unit: 'percentunit',
    min: 0,
    max: 1,
    queries: [
      {
        expr: shared('provider_quota_pressure', 'provider, credential'),
        legend: '{{credential}} of {{provider}}',
      },
    ],
    width: 8,
  }),
]

const attempts = [
  lines(
    {
      title: 'Attempts by outcome',
      description: 'Physical requests of the chosen routes, a second.',
      unit: 'suffix: req/s',
      queries: [{ expr: rate('provider_attempts_total', 'outcome', own), legend: '{{outcome}}' }],
      colors: ATTEMPT_COLORS,
      width: 8,
    },
    { stacked: true },
  ),
  lines({
    title: 'Failed attempts by route',
    description:
      "Share of attempts that failed for the upstream's own reasons: no bad requests, no cancellations.",
    unit: 'percentunit',
    min: 0,
    max: 1,
    queries: [
      {
        expr: `${rate('provider_attempts_total', 'route', `${own},outcome!~"ok|client_error|cancelled"`)} / (${rate('provider_attempts_total', 'route', `${own},outcome!~"client_error|cancelled"`)} > 0)`,
        legend: '{{route}}',
      },
    ],
    links: evidence,
    width: 8,
  }),
  lines({
    title: 'Duration of attempts, p95',
    description: 'Body included, whatever the outcome.',
    unit: 's',
    queries: [
      { expr: quantile(0.95, 'provider_attempt_duration_seconds', 'route', own), legend: '{{route}}' },
    ],
    links: evidence,
    width: 8,
  }),
  lines(
    {
      title: 'Answers by content',
      description: 'What the bodies turned out to be, whatever their header said.',
      unit: 'suffix: answers/s',
      queries: [{ expr: rate('provider_responses_total', 'content_type', own), legend: '{{content_type}}' }],
      colors: CONTENT_COLORS,
      width: 8,
    },
    { stacked: true },
  ),
  lines(
    {
      title: 'Answers by status',
      description:
        'HTTP status of the answers. A 200 can still fail: success is decided at the end of the stream.',
      unit: 'suffix: answers/s',
      queries: [{ expr: rate('provider_http_status_total', 'status', own), legend: '{{status}}' }],
      colors: STATUS_COLORS,
      width: 8,
    },
    { stacked: true },
  ),
  lines(
    {
      title: 'Retries',
      description: 'Second requests on the same route, by the reason of the first one’s failure.',
      unit: 'suffix: retries/s',
      queries: [{ expr: rate('provider_retries_total', 'reason', own), legend: '{{reason}}' }],
      colors: ATTEMPT_COLORS,
      width: 8,
    },
    { stacked: true },
  ),
]

const moves = [
  table({
    title: 'Reroutes',
    description: 'Moves of model calls from a route to the next one of the alias, in the time on screen.',
    unit: 'none',
    decimals: 0,
    queries: [
      {
        expr: grown(
          'route_reroutes_total',
          'alias, from_route, to_route, reason',
          selector(['job', 'alias'], 'from_route=~"$route"'),
        ),
        legend: 'reroutes',
      },
    ],
    width: 12,
  }),
  table({
    title: 'Breaker transitions',
    description: 'Changes of state in the time on screen, each counted once for the fleet, with the reason.',
    unit: 'none',
    decimals: 0,
    queries: [
      {
        expr: grown('route_health_transitions_total', 'route, from, to, reason', own, 'max'),
        legend: 'transitions',
      },
    ],
    links: evidence,
    width: 12,
  }),
  states(
    {
      title: 'Mitigations',
      description: 'Whether an alias is held on its fallback after too many errors of its first route.',
      unit: 'none',
      queries: [
        {
          expr: shared('route_mitigation_active', 'alias, from_route, to_route', selector(['alias'])),
          legend: '{{alias}}: {{from_route}} → {{to_route}}',
        },
      ],
      width: 12,
    },
    HELD,
  ),
  table({
    title: 'Mitigation runs',
    description: 'Switches to a fallback in the time on screen, by result.',
    unit: 'none',
    decimals: 0,
    queries: [
      { expr: grown('route_mitigations_total', 'alias, result', selector(['job', 'alias'])), legend: 'runs' },
    ],
    width: 12,
  }),
]

const probes = [
  table({
    title: 'Probes',
    description:
      'Synthetic requests in the time on screen that tell what a route can do (streamed tools, for one), by verdict.',
    unit: 'none',
    decimals: 0,
    queries: [{ expr: grown('route_probes_total', 'route, cell, verdict', own), legend: 'probes' }],
    links: evidence,
    width: 12,
  }),
  lines({
    title: 'Cost of probes',
    description: 'What probes cost in an hour at this pace; a budget a day bounds it.',
    unit: 'currencyUSD',
    decimals: 4,
    min: 0,
    queries: [{ expr: `${rate('route_probe_cost_usd_total', 'route', own)} * 3600`, legend: '{{route}}' }],
    width: 12,
  }),
]

/** Which route is bad, since when, how, and where the traffic went. */
export function routes(): Dashboard {
  return dashboard({
    uid: 'turnkeeper-routes',
    title: 'routes and breakers',
    description: 'Which route is bad, since when, in what way, and where its traffic went.',
    variables: ['job', 'alias', 'route', 'console'],
    sections: [
      { title: 'Breakers', panels: breakers },
      { title: 'Symptoms', panels: symptoms },
      { title: 'Attempts', panels: attempts },
      { title: 'Where the traffic went', panels: moves },
      { title: 'Probes', panels: probes },
    ],
  })
}
