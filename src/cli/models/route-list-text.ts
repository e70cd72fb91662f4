import { CAPABILITY_NAMES } from '../../providers/capabilities/capability.ts'
import type { InspectedRoute } from '../../providers/models/inspection.ts'
import { columns } from '../turns/columns.ts'

/** Routes in lines for people: what is not known of them is marked with a question mark. */
export function routeListText(routes: readonly InspectedRoute[]): string {
  return columns(routes.map(routeRow)).join('\n')
}

function routeRow({ name, state, aliases, capabilities }: InspectedRoute): readonly string[] {
  const abilities = CAPABILITY_NAMES.flatMap((capability) => {
    const { can } = capabilities[capability]
    if (can === false) return []
    return [can === true ? capability : `${capability}?`]
  })
  return [name, state ?? '-', aliases.join(', '), abilities.join(' ')]
}
