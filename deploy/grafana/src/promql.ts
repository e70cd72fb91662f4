/** The few shapes of query that the panels are made of. All windows are Grafana's `$__rate_interval`. */

/** Labels by which the variables of a dashboard narrow a metric. */
export type Narrowing = 'job' | 'alias' | 'route' | 'model'

/** `job=~"$job",route=~"$route"`, and what else a query asks for. */
export function selector(narrow: readonly Narrowing[], more = ''): string {
  return [...narrow.map((label) => `${label}=~"$${label}"`), ...(more === '' ? [] : [more])].join(',')
}

/** Events a second, summed over processes. */
export function rate(metric: string, by: string, select: string): string {
  return `sum by (${by}) (rate(${metric}{${select}}[$__rate_interval]))`
}

/**
 * How much a counter grew in the time on screen, in whole numbers; what did not grow is left out. Unlike `increase`,
 * it sees the first event of a series that was born with it; of a process that started anew it sees the better part.
 * What all processes count alike wants `max`.
 */
export function grown(metric: string, by: string, select: string, over: 'sum' | 'max' = 'sum'): string {
  const series = `${metric}{${select}}`
  const highest = `max_over_time(${series}[$__range])`
  const before = `(${series} offset $__range or 0 * ${highest})`
  return `round(${over} by (${by}) (clamp_min(${highest} - ${before}, 0))) > 0`
}

/** A quantile of a classic histogram. */
export function quantile(q: number, metric: string, by: string, select: string): string {
  const groups = ['le', ...(by === '' ? [] : [by])].join(', ')
  return `histogram_quantile(${q}, sum by (${groups}) (rate(${metric}_bucket{${select}}[$__rate_interval])))`
}

/** The mean of a histogram. */
export function mean(metric: string, by: string, select: string): string {
  return `${rate(`${metric}_sum`, by, select)} / (${rate(`${metric}_count`, by, select)} > 0)`
}

/** A gauge that several processes show alike: one of them is enough, and the highest is the honest one. */
export function shared(metric: string, by: string, select = ''): string {
  const chosen = select === '' ? metric : `${metric}{${select}}`
  return by === '' ? `max(${chosen})` : `max by (${by}) (${chosen})`
}
