/** Following a turn on the terminal. */

import { TurnkeeperError } from '../../errors.ts'
import type { TurnHandle } from '../../queue/client/handle.ts'
import type { TurnEvent, TurnResult } from '../../queue/types.ts'
import type { Interruption } from '../signals.ts'
import type { Terminal } from '../terminal.ts'
import { durationText, plainText } from './columns.ts'

export type WatchOptions = {
  readonly terminal: Terminal
  readonly stop: Interruption
  /** Deadline of the turn, in milliseconds from now; default none. */
  readonly timeoutMs: number | undefined
}

/** After this long without a worker, say so. */
const LONELY_MS = 5_000
/** A worker that holds a turn over its deadline is given this long to say so. */
const DEADLINE_SLACK_MS = 10_000

/**
 * Shows the events of a turn as they come, and returns the exit status: 0 when it completed.
 * @throws TurnkeeperError `queue/result_timeout` when the turn is past its deadline and nobody has ended it.
 */
export async function watchTurn(
  turn: TurnHandle,
  { terminal, stop, timeoutMs }: WatchOptions,
): Promise<number> {
  terminal.note(terminal.dim(`turn ${turn.id}`))
  const lonely = setTimeout(() => {
    terminal.note(terminal.dim('no worker has taken it yet; start one with: turnkeeper worker'))
  }, LONELY_MS)
  const late = new AbortController()
  const deadline =
    timeoutMs === undefined ? undefined : setTimeout(() => late.abort(), timeoutMs + DEADLINE_SLACK_MS)
  try {
    for await (const event of turn.events({ signal: AbortSignal.any([stop.signal, late.signal]) })) {
      if (event.type !== 'turn.queued') clearTimeout(lonely)
      showEvent(event, terminal)
    }
  } finally {
    clearTimeout(lonely)
    clearTimeout(deadline)
  }
  terminal.endLine()
  if (stop.signal.aborted) return leave(turn, { terminal, stop })
  if (late.signal.aborted) throw overdue(turn.id)
  return showResult(await turn.result(), terminal)
}

function showEvent(event: TurnEvent, terminal: Terminal): void {
  terminal.json(event)
  const line = eventLine(event)
  if (event.type === 'text.delta') terminal.stream(plainText(event.delta))
  else if (line !== undefined) terminal.note(terminal.dim(line))
}

/** What a person is told of an event; nothing of those that only programs need. */
function eventLine(event: TurnEvent): string | undefined {
  switch (event.type) {
    case 'turn.queued':
      return event.position > 0 ? `queued behind ${event.position} of its session` : undefined
    case 'turn.started':
      return `started by ${event.worker}${event.epoch > 1 ? ` (take ${event.epoch})` : ''}`
    case 'step.started':
      return event.kind === 'model' ? `${event.stepId} asks ${event.name}` : undefined
    case 'tool.call':
      return `${event.stepId} calls ${event.name} ${excerpt(event.input)}`
    case 'tool.result':
      return event.error === undefined ? `${event.stepId} done` : `${event.stepId} ${excerpt(event.error)}`
    case 'step.restarted':
      return `${event.stepId} starts again (${event.reason}): discard what it has said so far`
    case 'route.changed':
      return `moved from ${event.from} to ${event.to} (${event.reason})`
    case 'turn.needs_review':
      return `waits for a review: ${plainText(event.reason)}`
    default:
      return undefined
  }
}

const EXCERPT_CHARACTERS = 120

function excerpt(value: unknown): string {
  const text = plainText(typeof value === 'string' ? value : (JSON.stringify(value) ?? ''))
    .replace(/\s+/g, ' ')
    .trim()
  return text.length > EXCERPT_CHARACTERS ? `${text.slice(0, EXCERPT_CHARACTERS)}…` : text
}

function leave({ id, sessionId }: TurnHandle, { terminal, stop }: Omit<WatchOptions, 'timeoutMs'>): number {
  terminal.note(`stopped watching; the turn goes on. Look at it with: turnkeeper turns show ${id}`)
  terminal.json({ id, sessionId, status: 'unknown', watched: false })
  return stop.status()
}

function showResult(result: TurnResult, terminal: Terminal): number {
  const { status, error, steps, routes } = result
  const tookMs = steps.reduce((sum, step) => sum + step.durationMs, 0)
  if (error) terminal.note(terminal.red(`${status}: ${error.code}: ${plainText(error.message)}`))
  const way = routes.length > 0 ? ` via ${routes.join(', ')}` : ''
  terminal.note(terminal.dim(`${status} after ${steps.length} steps, ${durationText(tookMs)}${way}`))
  terminal.json(result)
  return status === 'completed' ? 0 : 1
}

function overdue(id: string): TurnkeeperError {
  return new TurnkeeperError(
    'result_timeout',
    `the turn is past its deadline and no worker has ended it yet; is one running? Look at it with: turnkeeper turns show ${id}`,
  )
}
