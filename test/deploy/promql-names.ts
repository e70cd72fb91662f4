/** Reads names out of PromQL: enough for the queries of this repository, no parser. */

const KEYWORDS = new Set([
  'by',
  'without',
  'on',
  'ignoring',
  'group_left',
  'group_right',
  'bool',
  'and',
  'or',
  'unless',
  'offset',
])
const GROUPING = /\b(?:by|without|on|ignoring|group_left|group_right)\s*\([^)]*\)/g
const STRING = /"(?:[^"\\]|\\.)*"/g

/** Metric names that a query reads, each once. */
export function metricNames(expr: string): string[] {
  const bare = expr
    .replaceAll(STRING, '""')
    .replaceAll(/\{[^}]*\}/g, '{}')
    .replaceAll(/\[[^\]]*\]/g, '')
    .replaceAll(/\boffset\s+\S+/g, '')
    .replaceAll(GROUPING, '')
  const names = [...bare.matchAll(/[A-Za-z_:][\w:]*(?=\s*([^\w:\s]|\w|$))/g)]
  return [
    ...new Set(
      names
        .filter((match) => match[1] !== '(' && !KEYWORDS.has(match[0]))
        .map((match) => match[0])
        .filter((name) => !/^\d/.test(name)),
    ),
  ]
}

/** Labels that a query asks for, by metric: what stands in the braces behind its name. */
export function selectedLabels(expr: string): [metric: string, labels: string[]][] {
  return [...expr.matchAll(/([A-Za-z_:][\w:]*)\{([^}]*)\}/g)].map(([, metric = '', inside = '']) => [
    metric,
    [...inside.replaceAll(STRING, '').matchAll(/([A-Za-z_]\w*)\s*(?:=~|!~|!=|=)/g)].map(
      ([, label = '']) => label,
    ),
  ])
}

/** The metric of the catalogue behind a series of a histogram. */
export function withoutSuffix(name: string): string {
  return name.replace(/_(?:bucket|sum|count)$/, '')
}
