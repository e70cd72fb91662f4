/** What the profile of a route means: how it will be asked, and where it fails what it is used for. */

import { decideTransport, type PolicyReason, type StreamPolicy } from '../../policy.ts'
import { type Cell, type CellName, cellName, type RouteProfile, type Shown } from './cells.ts'
import { cellToRequest } from './judge.ts'

/** What a route is used for, besides plain text. */
export type RouteUse = { readonly tools: boolean; readonly json: boolean }

export type RouteFinding = { readonly cell: CellName; readonly verdict: string; readonly code: string }

/** How a call with tools, and one in JSON mode, would be asked now. */
export type RouteManner = {
  readonly toolTurns: { readonly stream: boolean; readonly reasons: readonly PolicyReason[] }
  readonly json: { readonly inWords: boolean; readonly reasons: readonly PolicyReason[] }
}

/**
 * The used cells that are known and not well. What the policy works around is none: streams of tool turns on `auto`,
 * a refused JSON mode with the fallback.
 */
export function findingsOf(
  profile: RouteProfile,
  { policy, use }: { readonly policy: StreamPolicy; readonly use: RouteUse },
): readonly RouteFinding[] {
  return usedCells(policy, use).flatMap((cell) => {
    const { verdict, code } = profile.get(cellName(cell)) ?? { verdict: 'ok', code: '' }
    return verdict === 'ok' ? [] : [{ cell: cellName(cell), verdict, code }]
  })
}

function usedCells({ toolTurns, jsonFallback }: StreamPolicy, use: RouteUse): readonly Cell[] {
  return [
    { stream: false, tools: false, format: 'text' },
    { stream: true, tools: false, format: 'text' },
    ...(use.tools ? [{ stream: toolTurns === true, tools: true, format: 'text' as const }] : []),
    ...(use.json && !jsonFallback ? [{ stream: true, tools: false, format: 'json' as const }] : []),
  ]
}

/** How the route will be asked, by the same decision as that of every call. */
export function mannerOf(profile: RouteProfile, policy: StreamPolicy): RouteManner {
  const shown: Shown = (cell) => profile.get(cellName(cell))?.verdict
  const how = { policy, lessons: new Set<never>(), shown }
  const tools = decideTransport(cellToRequest({ stream: true, tools: true, format: 'text' }), how)
  const json = decideTransport(cellToRequest({ stream: true, tools: false, format: 'json' }), how)
  return {
    toolTurns: { stream: tools.stream, reasons: tools.reasons },
    json: { inWords: json.request.responseFormat === undefined, reasons: json.reasons },
  }
}
