/** The panels of the committed dashboards, and what their queries give on a Prometheus. */

import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { DASHBOARD_FOLDER } from '../../deploy/grafana/src/all.ts'

export type Target = {
  readonly refId: string
  readonly expr: string
  readonly legendFormat: string
  readonly instant?: boolean
}

/** Words and colours for values. */
export type Mapping = {
  readonly options: Readonly<Record<string, { readonly text: string; readonly color: string }>>
}

export type Panel = {
  readonly type: 'row' | 'timeseries' | 'stat' | 'table' | 'state-timeline'
  readonly title: string
  readonly description?: string
  readonly gridPos: { readonly x: number; readonly y: number; readonly w: number; readonly h: number }
  readonly targets?: readonly Target[]
  readonly fieldConfig?: {
    /** What differs from the defaults for the series or column of a name. */
    readonly overrides?: readonly {
      readonly matcher: { readonly id: string; readonly options: string }
      readonly properties: readonly { readonly id: string; readonly value: unknown }[]
    }[]
    readonly defaults: {
      readonly unit?: string
      readonly decimals?: number
      readonly thresholds?: {
        readonly steps: readonly { readonly value: number | null; readonly color: string }[]
      }
      readonly mappings?: readonly Mapping[]
      readonly custom?: { readonly stacking?: { readonly mode: string }; readonly thresholdsStyle?: object }
    }
  }
}

export type Dashboard = { readonly uid: string; readonly title: string; readonly panels: readonly Panel[] }

/** A series over time, or (of an instant query) with one point. */
export type Series = {
  readonly labels: Readonly<Record<string, string>>
  readonly points: readonly (readonly [atSeconds: number, value: number])[]
}

export type Answer = { readonly target: Target; readonly series: readonly Series[]; readonly error?: string }

export type PanelData = { readonly panel: Panel; readonly answers: readonly Answer[] }

export type TimeRange = { readonly fromSeconds: number; readonly toSeconds: number }

/** The dashboards as they stand in the repository. */
export function readDashboards(): Dashboard[] {
  return readdirSync(DASHBOARD_FOLDER)
    .filter((name) => name.endsWith('.json'))
    .map((name) => JSON.parse(readFileSync(join(DASHBOARD_FOLDER, name), 'utf8')) as Dashboard)
}

/** Runs every query of every panel, as Grafana would with all variables at "All". */
export async function askPanels(
  dashboard: Dashboard,
  { prometheusUrl, range }: { readonly prometheusUrl: string; readonly range: TimeRange },
): Promise<PanelData[]> {
  return Promise.all(
    dashboard.panels
      .filter(({ type }) => type !== 'row')
      .map(async (panel) => ({
        panel,
        answers: await Promise.all((panel.targets ?? []).map((target) => ask(target, prometheusUrl, range))),
      })),
  )
}

/** Whether a panel shows nothing at all. */
export function isEmpty({ answers }: PanelData): boolean {
  return answers.every(({ series }) => series.length === 0)
}

/** Four scrapes, as Grafana reckons. */
const RATE_INTERVAL = '40s'
const STEPS = 120

/** A query with Grafana's variables replaced. */
export function interpolate(expr: string, { fromSeconds, toSeconds }: TimeRange): string {
  return expr
    .replaceAll('$__rate_interval', RATE_INTERVAL)
    .replaceAll('$__range', `${Math.ceil(toSeconds - fromSeconds)}s`)
    .replaceAll(/\$\{?(?:job|alias|route|model)\}?/g, '.*')
}

async function ask(target: Target, prometheusUrl: string, range: TimeRange): Promise<Answer> {
  const query = interpolate(target.expr, range)
  const { fromSeconds, toSeconds } = range
  const step = Math.max(1, (toSeconds - fromSeconds) / STEPS)
  const [path, times] = target.instant
    ? ['query', { time: toSeconds }]
    : ['query_range', { start: fromSeconds, end: toSeconds, step }]
  const form = new URLSearchParams({ query })
  for (const [name, value] of Object.entries(times)) form.set(name, String(value))
  const response = await fetch(`${prometheusUrl}/api/v1/${path}`, { method: 'POST', body: form })
  const answer = (await response.json()) as PrometheusAnswer
  if (answer.status !== 'success') return { target, series: [], error: answer.error }
  return { target, series: answer.data.result.map(toSeries).filter(({ points }) => points.length > 0) }
}

type Point = readonly [number, string]
type Result = { metric: Record<string, string>; value?: Point; values?: readonly Point[] }
type PrometheusAnswer = { status: 'success'; data: { result: Result[] } } | { status: 'error'; error: string }

function toSeries({ metric, value, values = value ? [value] : [] }: Result): Series {
  const points = values
    .map(([at, text]): [number, number] => [at, Number(text)])
    .filter(([, number]) => Number.isFinite(number))
  return { labels: metric, points }
}
