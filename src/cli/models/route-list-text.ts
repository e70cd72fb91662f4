import { CAPABILITY_NAMES } from '../../providers/capabilities/capability.ts'
import type { InspectedRoute } from '../../providers/models/inspection.ts'
import { columns, durationText } from '../turns/columns.ts'

const HEAD = ['ROUTE', 'STATE', 'SINCE', 'NEXT PROBE', 'SCORE', 'ALIASES', 'CAN']

/**
 * Routes in lines for people: what is not known of them is marked with a question mark.
 * `now`: epoch milliseconds.
 */
export function routeListText(routes: readonly InspectedRoute[], now: number): string {
  return columns([HEAD, ...routes.map((route) => routeRow(route, now))]).join('\n')
}

function routeRow(route: InspectedRoute, now: number): readonly string[] {
  const { name, since, nextProbeAt, healthScore, aliases } = route
  return [
    name,
    stateText(route),
    since === null ? '-' : `${durationText(Math.max(0, now - since))} ago`,
    nextProbeAt === null ? '-' : `in ${durationText(Math.max(0, nextProbeAt - now))}`,
    healthScore === null ? '-' : healthScore.toFixed(2),
    aliases.join(', '),
    abilitiesText(route),
  ]
}

function stateText({ state, reason, forced }: InspectedRoute): string {
  if (state === null) return '-'
  if (forced !== null) return `${state} (forced)`
  return state === 'closed' || reason === null ? state : `${state} (${reason.replaceAll('_', ' ')})`
}

function abilitiesText({ capabilities }: InspectedRoute): string {
  return CAPABILITY_NAMES.flatMap((capability) => {
    const { can } = capabilities[capability]
    if (can === false) return []
    return [can === true ? capability : `${capability}?`]
  }).join(' ')
}
