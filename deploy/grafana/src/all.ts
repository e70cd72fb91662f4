import type { Dashboard } from '@grafana/grafana-foundation-sdk/dashboard'
import { agents } from './dashboards/agents.ts'
import { models } from './dashboards/models.ts'
import { overview } from './dashboards/overview.ts'
import { queue } from './dashboards/queue.ts'
import { routes } from './dashboards/routes.ts'
import { telemetry } from './dashboards/telemetry.ts'

/** Where Grafana's provisioning finds them. */
export const DASHBOARD_FOLDER = 'deploy/grafana/dashboards'

/** All dashboards by the name of their file. */
export function allDashboards(): Readonly<Record<string, Dashboard>> {
  const list = [overview(), routes(), models(), queue(), agents(), telemetry()]
  return Object.fromEntries(list.map((dashboard) => [`${dashboard.uid}.json`, dashboard]))
}

/** As it stands in the repository. */
export function dashboardText(dashboard: Dashboard): string {
  return `${JSON.stringify(dashboard, null, 2)}\n`
}
