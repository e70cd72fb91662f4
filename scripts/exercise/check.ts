import { MAY_BE_EMPTY } from './empty-panels.ts'
import {
  askPanels,
  type Dashboard,
  isEmpty,
  type PanelData,
  readDashboards,
  type TimeRange,
} from './panels.ts'

export type Checked = {
  readonly sheets: readonly { readonly dashboard: Dashboard; readonly data: readonly PanelData[] }[]
  /** Queries that Prometheus refused. */
  readonly errors: readonly string[]
  readonly empty: readonly string[]
  /** Those of the empty ones that are not on the list. */
  readonly unexpected: readonly string[]
}

/** Runs all queries of all dashboards on a Prometheus and tells what is wrong with the answers. */
export async function checkDashboards(prometheusUrl: string, range: TimeRange): Promise<Checked> {
  const sheets: { dashboard: Dashboard; data: PanelData[] }[] = []
  for (const dashboard of readDashboards()) {
    sheets.push({ dashboard, data: await askPanels(dashboard, { prometheusUrl, range }) })
  }
  const panels = sheets.flatMap(({ data }) => data)
  const errors = panels.flatMap(({ panel, answers }) =>
    answers.flatMap(({ error }) => (error === undefined ? [] : [`${panel.title}: ${error}`])),
  )
  const empty = panels.filter(isEmpty).map(({ panel }) => panel.title)
  return { sheets, errors, empty, unexpected: empty.filter((title) => !(title in MAY_BE_EMPTY)) }
}
