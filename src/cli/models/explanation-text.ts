import type { RouteExplanation } from '../../providers/routing/explain/explain.ts'
import { columns } from '../turns/columns.ts'

/** The choice of a route in lines for people: what is tried, in its order, then what is not. */
export function explanationText({ model, strategy, needs, next, candidates }: RouteExplanation): string {
  const wanted = needs.length === 0 ? '' : `, needs ${needs.join(' and ')}`
  return [
    `${model}  ${strategy}${wanted}`,
    ...columns(candidates.map(({ place, route, reason }) => [`  ${place ?? '-'}`, route, reason])),
    `next: ${next}`,
  ].join('\n')
}
