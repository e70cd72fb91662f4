/**
 * Reading the events of a turn.
 *
 * One stream entry holds the events of one write; an event's id is `<entry>.<index>`, so that a reader can stop
 * between two events of an entry and go on there.
 *
 * V1. Events come in the order in which they were written, each once, also across disconnects and worker changes.
 * V2. A reader ends after a terminal event or `turn.needs_review`, even if the stream itself has expired.
 * V3. A reader holds no connection of its own and at most one page in memory.
 */

import { TurnkeeperError } from '../../errors.ts'
import { answering } from '../../redis/answering.ts'
import type { RedisConnection } from '../../redis/connection.ts'
import { sessionKeys, sessionOfTurn } from '../../redis/keys.ts'
import type { Journal } from '../journal.ts'
import { endsReading, isTerminal, type TurnEvent, type TurnEventBody, type TurnRecord } from '../types.ts'
import type { Subscriptions } from './subscriptions.ts'
import { createWakener } from './wakener.ts'

export type ReadOptions = {
  /** Go on after this event; without it, from `turn.queued`. */
  readonly lastEventId?: string
  /** `false` reads what there is now, all of it, and ends; default true. */
  readonly follow?: boolean
  /** Ends the reading without an error. */
  readonly signal?: AbortSignal
}

export type EventSource = {
  readonly redis: RedisConnection
  readonly prefix: string
  readonly journal: Journal
  readonly subscriptions: Subscriptions
}

type StreamPage = readonly (readonly [entry: string, fields: readonly string[]])[]

const PAGE = 200
/** How often a reader looks without having been told to: the loss of a message costs at most this. */
const LOOK_AGAIN_MS = 1_000
const QUEUED_ID = '0-0.0'

/**
 * The events of `turnId`, as they come. A malformed `lastEventId` throws at once, the rest at the first pull.
 * @throws TurnkeeperError `turn/unknown_turn`, `turn/invalid_input` for a malformed `lastEventId`, or
 *   `queue/redis_unavailable`.
 */
export function readEvents(
  source: EventSource,
  turnId: string,
  { lastEventId, signal, follow: isFollowing = true }: ReadOptions = {},
): AsyncGenerator<TurnEvent, void> {
  return follow(source, turnId, { after: parseEventId(lastEventId), signal, isFollowing })
}

type Position = { readonly entry: string; readonly index: number }

type FollowOptions = {
  readonly after: Position | undefined
  readonly signal: AbortSignal | undefined
  readonly isFollowing: boolean
}

async function* follow(
  source: EventSource,
  turnId: string,
  { after, signal, isFollowing }: FollowOptions,
): AsyncGenerator<TurnEvent, void> {
  const keys = sessionKeys(source.prefix, sessionOfTurn(turnId)).turn(turnId)
  let position = after
  const wakener = createWakener()
  const leave = source.subscriptions.listen(keys.channel, wakener.wake)
  try {
    if (position === undefined) {
      const record = await requireTurn(source.journal, turnId)
      yield event(QUEUED_ID, turnId, record.acceptedAt, { type: 'turn.queued', position: record.position })
      position = { entry: '0-0', index: 0 }
    }
    let wasTerminal = false
    while (!signal?.aborted) {
      const page: StreamPage = await answering(
        source.redis.xrange(keys.events, position.entry, '+', 'COUNT', PAGE),
      )
      let fresh = 0
      for (const [entry, fields] of page) {
        const bodies = JSON.parse(fields[1] ?? '[]') as TurnEventBody[]
        const from: number = entry === position.entry ? position.index + 1 : 0
        for (let index = from; index < bodies.length; index++) {
          const body = bodies[index] as TurnEventBody
          yield event(`${entry}.${index}`, turnId, timeOf(entry), body)
          fresh++
          if (isFollowing && endsReading(body.type)) return
          if (signal?.aborted) return
        }
        position = { entry, index: bodies.length - 1 }
      }
      if (fresh > 0) continue
      const record = await requireTurn(source.journal, turnId)
      if (wasTerminal || (!isFollowing && isTerminal(record.state))) {
        // Nothing more will come: the reader has seen the end, or the stream has expired before it could.
        const endedAt = record.endedAt ?? record.acceptedAt
        if (timeOf(position.entry) >= endedAt) return
        const end = endOfRecord(record)
        if (end) yield event(`${endedAt}-0.0`, turnId, endedAt, end)
        return
      }
      if (!isFollowing) return
      // State and event are written together, so one more look finds the event of a state seen here.
      wasTerminal = isTerminal(record.state)
      if (wasTerminal) continue
      await wakener.wait(LOOK_AGAIN_MS, signal)
    }
  } finally {
    leave()
  }
}

function event(id: string, turnId: string, at: number, body: TurnEventBody): TurnEvent {
  return { id, turnId, at, ...body }
}

/** When an entry was written: milliseconds since 1970, on Redis's clock. */
function timeOf(entry: string): number {
  return Number(entry.split('-')[0])
}

function parseEventId(id: string | undefined): Position | undefined {
  if (id === undefined) return undefined
  const match = /^(\d{1,20}-\d{1,20})\.(\d{1,9})$/.exec(id)
  if (!match) {
    throw new TurnkeeperError(
      'invalid_input',
      'lastEventId: expected the id of an event of this turn (1700000000000-0.0)',
    )
  }
  return { entry: match[1] as string, index: Number(match[2]) }
}

async function requireTurn(journal: Journal, turnId: string): Promise<TurnRecord> {
  const record = await answering(journal.read(turnId))
  if (record) return record
  throw new TurnkeeperError(
    'unknown_turn',
    `no turn ${turnId} is kept: it never was, or its time to live has passed`,
  )
}

/** The last event of a turn whose stream has expired (V2). */
function endOfRecord(record: TurnRecord): TurnEventBody | undefined {
  switch (record.state) {
    case 'completed':
      return { type: 'turn.completed', text: record.result?.text ?? '' }
    case 'failed':
      return record.result?.error && { type: 'turn.failed', error: record.result.error }
    case 'cancelled':
      return { type: 'turn.cancelled', reason: record.result?.error?.message ?? 'cancelled' }
    default:
      return undefined
  }
}
