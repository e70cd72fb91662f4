import { type Cell, type CellName, cellName } from '../../providers/routing/probes/cells.ts'
import type { RouteFinding, RouteManner } from '../../providers/routing/probes/findings.ts'
import { columns } from '../turns/columns.ts'

/** What `probe` tells of a route; its JSON form as well. */
export type ProbedRoute = {
  readonly route: string
  readonly aliases: readonly string[]
  /** By cell; null where it is not known. */
  readonly cells: Readonly<Record<CellName, ProbedCell | null>>
  readonly manner: RouteManner
  readonly findings: readonly RouteFinding[]
  /** Requests that were sent now, and what they cost. */
  readonly sent: number
  readonly costUsd: number
  /** Why something is still not known. */
  readonly stopped: string | null
}

export type ProbedCell = {
  readonly verdict: string
  readonly code: string
  readonly source: string
  readonly at: number
  readonly forMs: number
}

const WAYS: readonly (readonly [string, Omit<Cell, 'stream'>])[] = [
  ['plain', { tools: false, format: 'text' }],
  ['tools', { tools: true, format: 'text' }],
  ['json', { tools: false, format: 'json' }],
  ['tools+json', { tools: true, format: 'json' }],
]

/** The matrix: two lines a route, streamed and whole. A dash: not known, or not possible. */
export function probeTableText(routes: readonly ProbedRoute[]): string {
  const rows = routes.flatMap(({ route, cells, manner }) =>
    [false, true].map((stream) => [
      stream ? '' : route,
      stream ? 'stream' : 'whole',
      ...WAYS.map(([, way]) => cells[cellName({ stream, ...way })]?.verdict ?? '-'),
      stream ? jsonText(manner, cells) : `tool turns ${mannerText(manner)}`,
    ]),
  )
  return columns([['route', '', ...WAYS.map(([name]) => name), 'so'], ...rows]).join('\n')
}

/** Nothing where the format has no JSON mode of its own. */
function jsonText({ json }: RouteManner, cells: ProbedRoute['cells']): string {
  if (!('whole+json' in cells)) return ''
  return json.inWords ? 'json in words' : 'json mode'
}

function mannerText({ toolTurns: { stream, reasons } }: RouteManner): string {
  return [stream ? 'streamed' : 'whole', ...reasons.map((reason) => `(${reason})`)].join(' ')
}

/** `up/m stream+tools: broken, network/truncated_stream` */
export function findingText(route: string, { cell, verdict, code }: RouteFinding): string {
  return `${route} ${cell}: ${[verdict, code].filter(Boolean).join(', ')}`
}
