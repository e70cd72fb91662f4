import type { Dashboard } from '@grafana/grafana-foundation-sdk/dashboard'
import { dashboard } from '../frame.ts'
import { routeLink } from '../links.ts'
import { ATTEMPT_COLORS, BREAKER, TURN_COLORS } from '../meanings.ts'
import { lines, number, table } from '../panels.ts'
import { grown, quantile, rate, selector, shared } from '../promql.ts'
import { ERROR_BUDGET, FLOORS, LIMITS } from '../thresholds.ts'

const jobs = selector(['job'])
const aliasRoutes = 'max by (alias, route) (route_info{alias=~"$alias"})'

const now = [
  number({
    title: 'Error budget burn, 1 h',
    description:
      'How many times faster than allowed turns have failed in the last hour (SLO 99.5 % in 30 days). 1 spends the budget exactly; 14.4 pages.',
    unit: 'none',
    decimals: 1,
    queries: [{ expr: `job:turn_errors:ratio1h / ${ERROR_BUDGET}`, legend: 'burn rate' }],
    limits: LIMITS.burnRate,
    width: 4,
  }),
  number({
    title: 'Alerts to act on',
    description:
      'Warnings and critical alerts that fire now; the table below has those that only inform, too.',
    unit: 'none',
    queries: [
      {
        expr: 'count(ALERTS{alertstate="firing",severity=~"critical|warning"}) or vector(0)',
        legend: 'alerts',
      },
    ],
    limits: LIMITS.some,
    width: 4,
  }),
  number({
    title: 'Routes out of use',
    description: 'Routes whose breaker is open or half-open: no ordinary traffic goes there.',
    unit: 'none',
    queries: [{ expr: 'count(route:route_health_state:code >= 2) or vector(0)', legend: 'routes' }],
    limits: LIMITS.some,
    width: 4,
  }),
  number({
    title: 'Turns not ended',
    description: 'Accepted turns that are queued, running or waiting for a person.',
    unit: 'none',
    queries: [{ expr: `sum(${shared('turns_open', 'state')})`, legend: 'turns' }],
    width: 4,
  }),
  number({
    title: 'Waiting for a person',
    description:
      'Turns whose unsafe tool has an unknown outcome (needs review), and turns that were given up (dead letters). `turnkeeper turns list --dead` names them.',
    unit: 'none',
    queries: [
      { expr: shared('turns_open', '', 'state="needs_review"'), legend: 'needs review' },
      { expr: shared('turns_dead_letter', ''), legend: 'dead letters' },
    ],
    limits: LIMITS.some,
    width: 4,
  }),
  number({
    title: 'Workers',
    description: 'Workers that answer the scrape.',
    unit: 'none',
    queries: [{ expr: 'sum(up{job="worker"})', legend: 'workers' }],
    limits: FLOORS.workers,
    width: 4,
  }),
]

const turns = [
  lines(
    {
      title: 'Turns by outcome',
      description: 'Turns that ended, a second, all agents together.',
      unit: 'suffix: turns/s',
      queries: [{ expr: rate('turns_total', 'outcome', jobs), legend: '{{outcome}}' }],
      colors: TURN_COLORS,
      width: 12,
    },
    { stacked: true },
  ),
  lines({
    title: 'Turn duration',
    description: 'From the acceptance of a turn to its end, waiting included.',
    unit: 's',
    queries: [
      { expr: quantile(0.5, 'turn_duration_seconds', '', jobs), legend: 'p50' },
      { expr: quantile(0.95, 'turn_duration_seconds', '', jobs), legend: 'p95' },
      { expr: quantile(0.99, 'turn_duration_seconds', '', jobs), legend: 'p99' },
    ],
    width: 12,
  }),
  lines({
    title: 'Failed turns',
    description: 'Share of turns that failed, over windows of the burn-rate alerts. The line is the SLO.',
    unit: 'percentunit',
    min: 0,
    queries: [
      { expr: 'job:turn_errors:ratio5m', legend: '5 min' },
      { expr: 'job:turn_errors:ratio1h', legend: '1 h' },
      { expr: 'job:turn_errors:ratio6h', legend: '6 h' },
    ],
    limits: LIMITS.turnErrors,
    width: 12,
  }),
  lines({
    title: 'Backlog',
    description: 'Turns that could start now (ready) or wait for the limit of their tenant (limited).',
    unit: 'suffix: turns',
    min: 0,
    queries: [{ expr: `sum by (state) (${shared('queue_jobs', 'queue, state')})`, legend: '{{state}}' }],
    limits: LIMITS.backlog,
    width: 12,
  }),
]

const upstreams = [
  table({
    title: 'Aliases',
    description:
      'For each alias: its routes, those whose breaker lets traffic through, and the worst state among them.',
    unit: 'none',
    queries: [
      { expr: `count by (alias) (${aliasRoutes})`, legend: 'routes' },
      {
        expr: `sum by (alias) (${aliasRoutes} * on (route) group_left () (route:route_health_state:code < bool 2))`,
        legend: 'usable',
      },
      {
        expr: `max by (alias) (${aliasRoutes} * on (route) group_left () route:route_health_state:code)`,
        legend: 'worst state',
        named: BREAKER,
      },
    ],
    width: 12,
  }),
  table({
    title: 'Alerts that fire',
    description: 'What fires now, the dead-man switch left out. The runbook has a heading for each name.',
    unit: 'none',
    queries: [
      {
        expr: 'max by (alertname, severity, alias, route, provider, model, queue) (ALERTS{alertstate="firing",alertname!="Watchdog"})',
        legend: 'firing',
      },
    ],
    links: [routeLink('route')],
    width: 12,
  }),
  lines(
    {
      title: 'Attempts by outcome',
      description: 'Physical requests to upstreams, a second. Anything but ok has a record.',
      unit: 'suffix: req/s',
      queries: [{ expr: rate('provider_attempts_total', 'outcome', jobs), legend: '{{outcome}}' }],
      colors: ATTEMPT_COLORS,
      width: 8,
    },
    { stacked: true },
  ),
  lines({
    title: 'Tokens',
    description: 'Tokens that upstreams say they read (cached ones included) and wrote, a second.',
    unit: 'suffix: tokens/s',
    queries: [
      { expr: rateOfAll('gen_ai_client_inference_usage_input_tokens_total'), legend: 'input' },
      { expr: rateOfAll('gen_ai_client_inference_usage_output_tokens_total'), legend: 'output' },
    ],
    width: 8,
  }),
  lines(
    {
      title: 'Cost',
      description:
        "What attempts cost in an hour at this pace, at the provider's prices or the dated table's.",
      unit: 'currencyUSD',
      decimals: 4,
      queries: [
        { expr: `${rate('provider_cost_usd_total', 'provider', jobs)} * 3600`, legend: '{{provider}}' },
      ],
      width: 8,
    },
    { stacked: true },
  ),
]

const canary = [
  table({
    title: 'Canary runs',
    description:
      'Runs of the scenarios that must always work, in the time on screen. `turnkeeper canary` runs them by hand.',
    unit: 'none',
    decimals: 0,
    queries: [{ expr: grown('canary_runs_total', 'scenario, result', jobs), legend: 'runs' }],
    width: 12,
  }),
  lines({
    title: 'Failed canary runs, 30 min',
    description: 'By scenario, over the window of the alert. Two or more are told to people.',
    unit: 'suffix: runs',
    decimals: 0,
    min: 0,
    queries: [
      {
        expr: `sum by (scenario) (increase(canary_runs_total{${jobs},result="failed"}[30m]))`,
        legend: '{{scenario}}',
      },
    ],
    limits: LIMITS.canaryFailures,
    width: 12,
  }),
]

/** The page to look at first. */
export function overview(): Dashboard {
  return dashboard({
    uid: 'turnkeeper-overview',
    title: 'overview',
    description: 'Are turns served, how fast, at what cost, and what is wrong now.',
    variables: ['job', 'alias'],
    sections: [
      { title: 'Now', panels: now },
      { title: 'Turns', panels: turns },
      { title: 'Upstreams', panels: upstreams },
      { title: 'Canary', panels: canary },
    ],
  })
}

function rateOfAll(metric: string): string {
  return `sum(rate(${metric}{${jobs}}[$__rate_interval]))`
}
