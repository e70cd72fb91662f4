/** Names of metrics hold in both directions: what is asked for exists, and what exists is asked for. */

import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { COUNTERS, GAUGES, HISTOGRAMS } from '../../src/telemetry/catalogue.ts'
import { metricNames, selectedLabels, withoutSuffix } from './promql-names.ts'
import { alertRules, recordingRules } from './rule-files.ts'

const METRICS: Readonly<Record<string, { readonly labels: readonly string[] }>> = {
  ...COUNTERS,
  ...HISTOGRAMS,
  ...GAUGES,
}
const recorded = new Set(recordingRules.map(({ record }) => record))

/** Of Prometheus and Alertmanager themselves. */
const STANDARD =
  /^(?:up|ALERTS|scrape_\w+|alertmanager_\w+|prometheus_\w+|target_info|vector|absent|count|sum|otel_metric_overflow)$/

/** Metrics that stand in no rule and on no dashboard, and why. */
const UNSEEN: Readonly<Record<string, string>> = {
  credential_health_transitions_total: 'the timeline of credential_health_state shows the same',
  provider_stall_duration_seconds: 'bounded by the idle limit; provider_stream_idle_seconds tells more',
}

const DASHBOARDS = 'deploy/grafana/dashboards'
const queries: readonly (readonly [where: string, expr: string])[] = [
  ...recordingRules.map(({ record, expr }) => [record, expr] as const),
  ...alertRules.map(({ alert, expr }) => [alert, expr] as const),
  ...dashboardQueries(),
]

test.each(queries)('%s reads only metrics that exist', (_where, expr) => {
  expect(metricNames(expr).filter((name) => !exists(name))).toEqual([])
})

test.each(queries)('%s asks for no label that its metrics do not have', (_where, expr) => {
  const wrong = selectedLabels(expr).flatMap(([metric, labels]) => {
    const own = METRICS[metric] ?? METRICS[withoutSuffix(metric)]
    return labels.filter((label) => own && !['job', 'instance', 'le', ...own.labels].includes(label))
  })
  expect(wrong).toEqual([])
})

const pages = [
  'README.md',
  ...readdirSync('docs')
    .filter((name) => name.endsWith('.md'))
    .map((name) => `docs/${name}`),
]

test.each(pages)('%s names only metrics that exist', (page) => {
  const words = [...readFileSync(page, 'utf8').matchAll(/`([a-z][a-z0-9_:]*)(?:\{[^`]*)?`/g)]
  const named = words.flatMap(([, name = '']) => (LOOKS_LIKE_METRIC.test(name) ? [name] : []))
  expect(named.filter((name) => !exists(name) && !NO_METRICS.includes(name))).toEqual([])
})

/** By the families of the catalogue. */
const LOOKS_LIKE_METRIC =
  /^(?:provider|route|turns?|queue|worker|runtime|telemetry|gen_ai|messaging|redis|credential|translation|canary|nodejs|v8js|process)_\w+$/
/** A reason and a span, which look like names of metrics. */
const NO_METRICS = ['queue_full', 'provider_attempt']

const seen = new Set(
  queries.flatMap(([, expr]) => metricNames(expr)).flatMap((name) => [name, withoutSuffix(name)]),
)

describe.skipIf(!existsSync(DASHBOARDS))('with the dashboards', () => {
  test.each(Object.keys(METRICS))(
    '%s stands in a rule or on a dashboard, or it is written why not',
    (name) => {
      expect(seen.has(name) || name in UNSEEN).toBe(true)
    },
  )
})

test('what is recorded is read by an alert, or is a name of the plan or of a dashboard', () => {
  const forDashboards = ['route:route_health_state:code']
  const unread = [...recorded].filter((name) => !seen.has(name) && !forDashboards.includes(name))
  expect(unread).toEqual([])
})

test('no metric is excused that is gone', () => {
  expect(Object.keys(UNSEEN).filter((name) => !(name in METRICS) || seen.has(name))).toEqual([])
})

test.each(Object.keys(METRICS).filter((name) => !(name in UNSEEN)))(
  'whoever renames %s hears of it',
  (name) => {
    const { [name]: _renamed, ...others } = METRICS
    const broken = queries.filter(([, expr]) => metricNames(expr).some((one) => !exists(one, others)))
    expect(broken.length).toBeGreaterThan(0)
  },
)

function exists(name: string, metrics: typeof METRICS = METRICS): boolean {
  if (name in metrics || recorded.has(name) || STANDARD.test(name)) return true
  return withoutSuffix(name) in HISTOGRAMS && withoutSuffix(name) in metrics
}

function dashboardQueries(): readonly (readonly [string, string])[] {
  type Panel = { readonly title: string; readonly targets?: readonly { readonly expr?: string }[] }
  type Dashboard = { readonly title: string; readonly panels: readonly Panel[] }
  if (!existsSync(DASHBOARDS)) return []
  return readdirSync(DASHBOARDS).flatMap((file) => {
    const { title, panels } = JSON.parse(readFileSync(`${DASHBOARDS}/${file}`, 'utf8')) as Dashboard
    return panels.flatMap((panel) =>
      (panel.targets ?? []).map(({ expr = '' }) => [`${title}: ${panel.title}`, expr] as const),
    )
  })
}
