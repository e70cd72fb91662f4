/** What a mitigation shows of itself: a counter and a log line for each move, one gauge. */

import type { Telemetry } from '../../../telemetry/telemetry.ts'
import {
  type MitigationRecord,
  type MitigationResult,
  type MitigationState,
  RESULTS,
  resultOf,
  shareOf,
} from './machine.ts'
import type { MitigatedAlias } from './subject.ts'
import type { Tally } from './tally.ts'

export type SaidMove = {
  readonly alias: MitigatedAlias
  /** Undefined where the whole alias moves. */
  readonly segment: string | undefined
  readonly from: MitigationRecord
  readonly to: MitigationRecord
  readonly observed: Tally
}

const LINES: Readonly<Record<MitigationResult, readonly ['info' | 'warn' | 'error', string]>> = {
  warned: ['warn', 'alias has errors: it moves to its fallback if there are more'],
  cleared: ['info', 'alias is well again'],
  moved: ['warn', 'alias moved to its fallback'],
  failed: ['error', 'alias cannot move: its fallback has no usable route'],
  returning: ['info', 'alias returns to its own routes'],
  returned: ['info', 'alias is back on its own routes'],
}

/** Counts a move that this process has made, and says it. */
export function sayMove(
  telemetry: Telemetry,
  { alias: { alias, routes, mitigation }, segment, from, to, observed }: SaidMove,
): void {
  const result = resultOf(from.state, to)
  telemetry.count('route_mitigations_total', { alias, result })
  const { attempts, failures, missing } = observed
  const [level, text] = LINES[result]
  const fields = {
    ...{ alias, ...(segment !== undefined && { segment }) },
    ...{ from: from.state, to: to.state, reason: to.reason, ...(to.note && { note: to.note }) },
    ...{ route: routes[0]?.name, fallback: mitigation.fallback, share: shareOf(to) },
    ...{ attempts, failures, not_found: missing },
  }
  telemetry.log[level](fields, text)
}

/** Registers the gauge of all aliases and puts their counters at 0; returns the removal. */
export function showMitigations(
  telemetry: Telemetry,
  aliases: readonly MitigatedAlias[],
  {
    statesOf,
    routeOf,
  }: {
    /** Of the alias and of all its segments. */
    statesOf: (alias: string) => readonly MitigationState[]
    /** The first route of an alias. */
    routeOf: (alias: string) => string
  },
): () => void {
  for (const { alias } of aliases) {
    for (const result of RESULTS) telemetry.count('route_mitigations_total', { alias, result }, 0)
  }
  return telemetry.gauge('route_mitigation_active', () =>
    aliases.map(({ alias, mitigation: { fallback } }) => {
      const isActive = statesOf(alias).some((state) => state === 'moved' || state === 'returning')
      const labels = { alias, from_route: routeOf(alias), to_route: routeOf(fallback) }
      return [labels, isActive ? 1 : 0] as const
    }),
  )
}
