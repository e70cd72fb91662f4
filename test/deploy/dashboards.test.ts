import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import { allDashboards, DASHBOARD_FOLDER, dashboardText } from '../../deploy/grafana/src/all.ts'
import { LIMITS, type Limit } from '../../deploy/grafana/src/thresholds.ts'
import { COUNTERS, GAUGES, HISTOGRAMS } from '../../src/telemetry/catalogue.ts'
import { RECORDED, STANDARD } from './known-metrics.ts'
import { metricNames, selectedLabels, withoutSuffix } from './promql-names.ts'
import { alertRules } from './rule-files.ts'

type Target = { refId: string; expr: string; legendFormat?: string; instant?: boolean }
type Panel = {
  type: string
  title: string
  description?: string
  gridPos: { h: number; w: number; x: number; y: number }
  datasource?: { type: string; uid: string }
  fieldConfig?: { defaults: { unit?: string; links?: { title: string; url: string }[] } }
  targets?: Target[]
}
type Dashboard = {
  uid: string
  title: string
  description: string
  editable: boolean
  tags: string[]
  links: { type: string; tags: string[]; asDropdown: boolean; includeVars: boolean }[]
  panels: Panel[]
  templating: { list: { name: string; type: string; query?: unknown }[] }
  annotations: { list: { name: string; expr: string }[] }
}

const METRICS: Readonly<Record<string, { labels: readonly string[] }>> = {
  ...COUNTERS,
  ...HISTOGRAMS,
  ...GAUGES,
}
const names = readdirSync(DASHBOARD_FOLDER).sort()
const dashboards = names.map((name): [string, Dashboard] => [
  name,
  JSON.parse(readFileSync(join(DASHBOARD_FOLDER, name), 'utf8')) as Dashboard,
])
const panelsOf = ({ panels }: Dashboard): Panel[] => panels.filter(({ type }) => type !== 'row')
const queriesOf = (dashboard: Dashboard): string[] => [
  ...panelsOf(dashboard).flatMap(({ targets = [] }) => targets.map(({ expr }) => expr)),
  ...dashboard.annotations.list.map(({ expr }) => expr),
]

test('the files are what npm run dashboards writes now, and no others', () => {
  const written = allDashboards()
  expect(names).toEqual(Object.keys(written).sort())
  for (const [name, dashboard] of Object.entries(written)) {
    expect(readFileSync(join(DASHBOARD_FOLDER, name), 'utf8'), name).toBe(dashboardText(dashboard))
  }
})

test('each dashboard has its fixed uid, to which alerts and bookmarks lead', () => {
  expect(dashboards.map(([, { uid }]) => uid)).toEqual([
    'turnkeeper-agents',
    'turnkeeper-models',
    'turnkeeper-overview',
    'turnkeeper-queue',
    'turnkeeper-routes',
    'turnkeeper-telemetry',
  ])
})

describe.each(dashboards)('%s', (_name, dashboard) => {
  test('is described, not editable in Grafana, and linked with the others by its tag', () => {
    expect(dashboard.description).not.toBe('')
    expect(dashboard.editable).toBe(false)
    expect(dashboard.tags).toContain('turnkeeper')
    expect(dashboard.links).toMatchObject([
      { type: 'dashboards', tags: ['turnkeeper'], asDropdown: true, includeVars: true },
    ])
  })

  test('every panel shows data of the chosen source under a title, with a description and a unit', () => {
    const titles = panelsOf(dashboard).map(({ title }) => title)
    expect(new Set(titles).size).toBe(titles.length)
    for (const panel of panelsOf(dashboard)) {
      expect(['timeseries', 'stat', 'table', 'state-timeline'], panel.title).toContain(panel.type)
      expect(panel.title).toMatch(/^[A-Z]/)
      expect(panel.description, panel.title).toMatch(/^.{20,}[.%]$/s)
      expect(panel.fieldConfig?.defaults.unit, panel.title).toMatch(/./)
      expect(panel.datasource, panel.title).toEqual({ type: 'prometheus', uid: '$' + '{datasource}' })
      expect(panel.targets?.length, panel.title).toBeGreaterThan(0)
      for (const { expr, legendFormat } of panel.targets ?? []) {
        expect(expr, panel.title).not.toBe('')
        expect(legendFormat, panel.title).toMatch(/./)
      }
    }
  })

  test('panels fill their rows and do not overlap', () => {
    const cells = new Set<string>()
    for (const { title, gridPos } of dashboard.panels) {
      expect(gridPos.x + gridPos.w, title).toBeLessThanOrEqual(24)
      for (let x = gridPos.x; x < gridPos.x + gridPos.w; x += 1) {
        for (let y = gridPos.y; y < gridPos.y + gridPos.h; y += 1) {
          expect(cells.has(`${x},${y}`), `${title} lies over another panel at ${x},${y}`).toBe(false)
          cells.add(`${x},${y}`)
        }
      }
    }
  })

  test('every metric of its queries is in the catalogue, recorded by a rule, or a standard one', () => {
    const unknown = queriesOf(dashboard)
      .flatMap(metricNames)
      .filter((name) => !isKnown(name))
    expect(unknown).toEqual([])
  })

  test('its queries ask for no label that a metric does not have', () => {
    const wrong = queriesOf(dashboard)
      .flatMap(selectedLabels)
      .flatMap(([metric, labels]) => {
        const own = METRICS[metric]?.labels ?? METRICS[withoutSuffix(metric)]?.labels
        return own ? labels.filter((label) => !['job', 'instance', ...own].includes(label)) : []
      })
    expect(wrong).toEqual([])
  })

  test('its rates follow the zoom', () => {
    for (const expr of queriesOf(dashboard)) {
      for (const [, window] of expr.matchAll(/\brate\([^[]*\[([^\]]*)\]/g))
        expect(window).toBe('$__rate_interval')
    }
  })

  test('it has the variables that its queries and links use, and no others', () => {
    const declared = dashboard.templating.list.map(({ name }) => name).sort()
    const text = JSON.stringify([
      dashboard.panels,
      dashboard.annotations,
      dashboard.templating.list.map(({ query }) => query),
    ])
    const used = [...text.matchAll(/\$\{?([a-z]+)\b/g)].map(([, name]) => name as string)
    expect([...new Set(used)].sort()).toEqual(declared)
    expect(declared).toContain('datasource')
    expect(declared).toContain('job')
  })

  test('it marks the transitions of breakers', () => {
    expect(dashboard.annotations.list.map(({ name }) => name)).toEqual(['Breaker transitions', 'Mitigations'])
  })
})

test('what shows a route leads to its traces and to the console', () => {
  const routes = dashboards.find(([, { uid }]) => uid === 'turnkeeper-routes')?.[1] as Dashboard
  const timeline = routes.panels.find(({ type }) => type === 'state-timeline')
  const links = timeline?.fieldConfig?.defaults.links ?? []
  expect(links.map(({ title }) => title)).toEqual(['Traces', 'Console'])
  const panes = /panes=(.*)$/.exec(links[0]?.url ?? '')?.[1] ?? ''
  const label = '$' + '{__field.labels.route:percentencode}'
  expect(JSON.parse(decodeURIComponent(panes))).toMatchObject({
    tk: { datasource: 'tempo', queries: [{ query: `{ span.route = "${label}" }` }] },
  })
  expect(links[1]?.url).toBe(`$${'{console}'}/?route=${label}`)
})

const marked: Readonly<Record<string, readonly Limit[]>> = LIMITS
const limits = Object.entries(marked).flatMap(([name, list]) =>
  list.flatMap(({ alert, value }): [string, string, number][] => (alert ? [[name, alert, value]] : [])),
)

test.each(limits)('the line of %s is where %s fires', (_name, alert, value) => {
  const rule = alertRules.find((one) => one.alert === alert)
  const numbers = [...(rule?.expr ?? '').matchAll(/(?<![\w.])\d+(?:\.\d+)?(?![\w.])/g)].map(([text]) =>
    Number(text),
  )
  expect(numbers).toContain(value)
})

test('the alerts lead to dashboards that exist', () => {
  const uids = dashboards.map(([, { uid }]) => uid)
  const led = alertRules.map(({ annotations }) => /^\/d\/([\w-]+)/.exec(annotations.dashboard ?? '')?.[1])
  expect(led.filter((uid) => uid === undefined || !uids.includes(uid))).toEqual([])
})

test('the rate interval of Grafana is reckoned from the interval at which Prometheus scrapes', () => {
  const read = (path: string): unknown => parse(readFileSync(path, 'utf8'))
  const { global } = read('deploy/prometheus/prometheus.yml') as { global: { scrape_interval: string } }
  expect(read('deploy/grafana/provisioning/datasources/turnkeeper.yaml')).toMatchObject({
    datasources: [{ jsonData: { timeInterval: global.scrape_interval } }, {}],
  })
})

test('the provisioning has the data sources and the folder that dashboards and links name', () => {
  const read = (path: string): unknown => parse(readFileSync(`deploy/grafana/provisioning/${path}`, 'utf8'))
  expect(read('datasources/turnkeeper.yaml')).toMatchObject({
    datasources: [
      { uid: 'prometheus', type: 'prometheus', isDefault: true },
      { uid: 'tempo', type: 'tempo' },
    ],
  })
  expect(read('dashboards/turnkeeper.yaml')).toMatchObject({
    providers: [{ folder: 'Turnkeeper', type: 'file', allowUiUpdates: false }],
  })
})

function isKnown(name: string): boolean {
  if (name in METRICS || RECORDED.includes(name) || STANDARD.includes(name)) return true
  return withoutSuffix(name) in HISTOGRAMS
}
