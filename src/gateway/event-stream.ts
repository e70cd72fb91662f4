/**
 * The events of a turn as server-sent events (https://html.spec.whatwg.org/multipage/server-sent-events.html).
 *
 * S1. What a slow client has not taken is not read from Redis: one event waits here, no more.
 * S2. A client that is gone ends the reading; so does a server that closes.
 * S3. The stream ends after the event that ends the reading; who asks again beyond it gets 204, which tells a
 *     browser to stop reconnecting.
 */

import { once } from 'node:events'
import type { ServerResponse } from 'node:http'
import type { FastifyReply } from 'fastify'
import { toTurnkeeperError } from '../errors.ts'
import type { TurnHandle } from '../queue/client/handle.ts'
import { isTerminal, type TurnEvent, type TurnState } from '../queue/types.ts'
import type { Log } from '../telemetry/telemetry.ts'
import { errorToResponse } from './error-response.ts'

export type EventStreamParts = {
  readonly log: Log
  readonly heartbeatMs: number
  /** Aborts when the server is about to close. */
  readonly closing: AbortSignal
}

export type EventStreamOptions = EventStreamParts & {
  /** State of the turn just now. */
  readonly state: TurnState
  readonly lastEventId?: string
}

const HEAD = {
  'content-type': 'text/event-stream; charset=utf-8',
  'cache-control': 'no-store',
  connection: 'close', // a stream's connection has no next request, and would hold a closing server up
  'x-accel-buffering': 'no', // nginx would otherwise hold events back
} as const

/** Sends the events of `turn` and resolves when the stream has ended, whoever ended it; rejects only before it began. */
export async function sendEvents(
  turn: TurnHandle,
  reply: FastifyReply,
  { state, lastEventId, log, heartbeatMs, closing }: EventStreamOptions,
): Promise<void> {
  const gone = new AbortController()
  const signal = AbortSignal.any([gone.signal, closing])
  reply.raw.once('close', () => gone.abort())
  if (reply.raw.destroyed) gone.abort() // it left while the turn was being looked up
  const events = turn
    .events({ signal, ...(lastEventId !== undefined && { lastEventId }) })
    [Symbol.asyncIterator]()
  const first = events.next()
  // Only of a turn that has ended is it known that the first event, or the end, comes at once.
  if (lastEventId !== undefined && isTerminal(state) && (await first).done) {
    reply.status(204).send()
    return
  }
  reply.hijack()
  await relay(reply.raw, { first, events, signal, heartbeatMs }).catch((error: unknown) => {
    if (signal.aborted) return
    log.warn({ err: error, turn: turn.id }, 'an event stream broke off')
    reply.raw.write(errorFrame(error))
  })
  reply.raw.end()
}

type Relayed = {
  readonly first: Promise<IteratorResult<TurnEvent>>
  readonly events: AsyncIterator<TurnEvent>
  readonly signal: AbortSignal
  readonly heartbeatMs: number
}

async function relay(raw: ServerResponse, { first, events, signal, heartbeatMs }: Relayed): Promise<void> {
  raw.writeHead(200, HEAD)
  raw.write(': turn events\n\n') // something to read, so that the head leaves at once
  const heartbeat = setInterval(() => {
    if (!raw.writableNeedDrain) raw.write(': still here\n\n')
  }, heartbeatMs)
  try {
    for (let next = await first; !next.done; next = await events.next()) {
      if (!raw.write(frame(next.value))) await once(raw, 'drain', { signal })
    }
  } finally {
    clearInterval(heartbeat)
    await events.return?.()
  }
}

function frame(event: TurnEvent): string {
  return `id: ${event.id}\nevent: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`
}

/** In band, since the status line has gone; it has no id, so a client resumes after the last real event. */
function errorFrame(cause: unknown): string {
  return `event: error\ndata: ${JSON.stringify(errorToResponse(toTurnkeeperError(cause)).body)}\n\n`
}
