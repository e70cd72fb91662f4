/** `npm run dashboards`: writes the dashboards as Grafana reads them, from deploy/grafana/src. */

import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { allDashboards, DASHBOARD_FOLDER, dashboardText } from '../deploy/grafana/src/all.ts'

for (const [name, dashboard] of Object.entries(allDashboards())) {
  writeFileSync(join(DASHBOARD_FOLDER, name), dashboardText(dashboard))
}
