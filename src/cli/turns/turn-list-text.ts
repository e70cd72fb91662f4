import type { TurnRecord } from '../../queue/types.ts'
import { columns, durationText } from './columns.ts'

/** Turns in a table for people, in the order given. */
export function turnListText(records: readonly TurnRecord[]): string {
  const head = ['TURN', 'STATE', 'AGENT', 'ACCEPTED', 'TOOK']
  const rows = records.map(({ id, state, agent, acceptedAt, endedAt }) => [
    id,
    state,
    agent,
    new Date(acceptedAt).toISOString(),
    endedAt === undefined ? '' : durationText(endedAt - acceptedAt),
  ])
  return columns([head, ...rows]).join('\n')
}
