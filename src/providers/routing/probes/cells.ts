/**
 * The words of route profiles.
 *
 * - **cell**: one way of asking a route: streamed or whole, with tools or without, in a format.
 * - **fact**: what is known of a cell for a time, from a probe or from traffic.
 * - **profile**: the facts of a route.
 */

import type { ModelRequest, ResponseFormat } from '../../types.ts'

export type Cell = {
  readonly stream: boolean
  readonly tools: boolean
  readonly format: ResponseFormat['type']
}

/** `whole`, `stream+tools`, `stream+tools+json`. */
export type CellName = string

/**
 * `ok`: answers as asked. `broken`: its answer comes broken, where another way of asking works. `refused`: the upstream
 * says that it does not take such requests. `failed`: no proper answer, for a reason that need not be the cell's.
 */
export const VERDICTS = ['ok', 'broken', 'refused', 'failed'] as const
export type Verdict = (typeof VERDICTS)[number]

export type Fact = {
  readonly verdict: Verdict
  /** `<category>/<reason>` of what went wrong, or what was missing in the answer; empty where nothing is. */
  readonly code: string
  readonly source: 'probe' | 'traffic'
  /** Epoch milliseconds of Redis. */
  readonly at: number
  /** How long it holds yet. */
  readonly forMs: number
}

export type RouteProfile = ReadonlyMap<CellName, Fact>

/** What is known of a way of asking; undefined where nothing is. */
export type Shown = (cell: Cell) => Verdict | undefined

/** The cells that probes fill, each after those that it builds on. JSON schemas are learnt from traffic alone. */
export const PROBED_CELLS: readonly Cell[] = [
  { stream: false, tools: false, format: 'text' },
  { stream: true, tools: false, format: 'text' },
  { stream: false, tools: true, format: 'text' },
  { stream: true, tools: true, format: 'text' },
  { stream: false, tools: false, format: 'json' },
  { stream: true, tools: false, format: 'json' },
  { stream: false, tools: true, format: 'json' },
  { stream: true, tools: true, format: 'json' },
]

/** The name of a cell in keys, metrics and words. */
export function cellName({ stream, tools, format }: Cell): CellName {
  const way = stream ? (tools ? 'stream+tools' : 'stream') : tools ? 'whole+tools' : 'whole'
  return format === 'text' ? way : `${way}+${format}`
}

/** The cell of a request that is asked for so. */
export function cellOf({ tools = [], responseFormat }: ModelRequest, stream: boolean): Cell {
  return { stream, tools: tools.length > 0, format: responseFormat?.type ?? 'text' }
}

/** The cells with one demand less: one that fails where these do not is at fault itself. */
export function simplerCells({ stream, tools, format }: Cell): readonly Cell[] {
  return [
    ...(stream ? [{ stream: false, tools, format }] : []),
    ...(tools ? [{ stream, tools: false, format }] : []),
    ...(format === 'text' ? [] : [{ stream, tools, format: 'text' as const }]),
  ]
}
