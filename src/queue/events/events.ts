/**
 * Reading the events of a turn.
 *
 * One stream entry holds the events of one write; an event's id is `<entry>.<index>`, so that a reader can stop
 * between two events of an entry and go on there.
 *
 * A reader looks into the stream once when it listens, and then takes what is announced, for as long as each
 * announcement follows on what it has read; else it looks again, and each second that nothing comes.
 *
 * V1. Events come in the order in which they were written, each once, also across disconnects and worker changes.
 * V2. A reader ends after a terminal event or `turn.needs_review`, even if the stream itself has expired.
 * V3. A reader holds no connection of its own and at most one page in memory, and another one of announcements.
 */

import { TurnkeeperError } from '../../errors.ts'
import { answering } from '../../redis/answering.ts'
import type { RedisConnection } from '../../redis/connection.ts'
import { sessionKeys, sessionOfTurn } from '../../redis/keys.ts'
import type { Journal } from '../journal.ts'
import {
  endsReading,
  isTerminal,
  type TurnEvent,
  type TurnEventBody,
  type TurnRecord,
  type TurnState,
} from '../types.ts'
import { createInbox, parseAnnouncement } from './announcements.ts'
import type { Subscriptions } from './subscriptions.ts'

export type ReadOptions = {
  /** Go on after this event; without it, from `turn.queued`. */
  readonly lastEventId?: string
  /** `false` reads what there is now, all of it, and ends; default true. */
  readonly follow?: boolean
  /** Ends the reading without an error. */
  readonly signal?: AbortSignal
}

/** What is known of a turn's acceptance, by who has accepted it. */
export type Queued = { readonly acceptedAt: number; readonly position: number }

export type EventSource = {
  readonly redis: RedisConnection
  readonly prefix: string
  readonly journal: Journal
  readonly subscriptions: Subscriptions
}

const PAGE = 200
/** How often a reader looks without having been told to: the loss of a message costs at most this. */
const LOOK_AGAIN_MS = 1_000
const QUEUED_ID = '0-0.0'

/**
 * The events of `turnId`, as they come. A malformed `lastEventId` throws at once, the rest at the first pull. `queued`
 * spares a look.
 * @throws TurnkeeperError `turn/unknown_turn`, `turn/invalid_input` for a malformed `lastEventId`, or
 *   `queue/redis_unavailable`.
 */
export function readEvents(
  source: EventSource,
  turnId: string,
  { lastEventId, signal, follow: isFollowing = true }: ReadOptions = {},
  queued?: Queued,
): AsyncGenerator<TurnEvent, void> {
  return follow(source, turnId, { after: parseEventId(lastEventId), signal, isFollowing, queued })
}

/** The last event that was read. */
type Position = { readonly entry: string; readonly index: number }

const START: Position = { entry: '0-0', index: 0 }

type FollowOptions = {
  readonly after: Position | undefined
  readonly signal: AbortSignal | undefined
  readonly isFollowing: boolean
  readonly queued: Queued | undefined
}

async function* follow(
  source: EventSource,
  turnId: string,
  { after, signal, isFollowing, queued }: FollowOptions,
): AsyncGenerator<TurnEvent, void> {
  const { channel } = sessionKeys(source.prefix, sessionOfTurn(turnId)).turn(turnId)
  const inbox = createInbox(PAGE)
  const leave = isFollowing ? source.subscriptions.listen(channel, inbox.hear) : () => {}
  let position = after ?? START
  try {
    if (after === undefined) {
      const { acceptedAt, position: place } = queued ?? (await requireTurn(source.journal, turnId))
      yield event(QUEUED_ID, turnId, acceptedAt, { type: 'turn.queued', position: place })
    }
    if (isFollowing) await inbox.wait(LOOK_AGAIN_MS, signal) // what is written from then on is announced
    inbox.take()
    let heard: readonly Entry[] | undefined
    while (!signal?.aborted) {
      const seen: Look = heard ? { entries: heard, isWhole: true } : await look(source, turnId, position)
      for (const [entry, text] of seen.entries) {
        const bodies = JSON.parse(text) as TurnEventBody[]
        for (let index = entry === position.entry ? position.index + 1 : 0; index < bodies.length; index++) {
          const body = bodies[index] as TurnEventBody
          yield event(`${entry}.${index}`, turnId, timeOf(entry), body)
          if (isFollowing && endsReading(body.type)) return
          if (signal?.aborted) return
        }
        position = { entry, index: bodies.length - 1 }
      }
      if (!seen.isWhole) continue
      if (seen.state !== undefined && isTerminal(seen.state)) return yield* endAfter(source, turnId, position)
      if (!isFollowing) return
      await inbox.wait(LOOK_AGAIN_MS, signal)
      heard = announcedAfter(position, inbox.take())
    }
  } catch (error) {
    if (!signal?.aborted) throw error // whoever has left is told nothing of a Redis that is away
  } finally {
    leave()
  }
}

/** One write: its entry in the stream, and its events as JSON. */
type Entry = readonly [entry: string, events: string]

/** `isWhole`: there was no more. `state` is the turn's before that, where it was asked for. */
type Look = { readonly entries: readonly Entry[]; readonly isWhole: boolean; readonly state?: TurnState }

/** What the stream has from `position` on. State and event are written together: the event of a state seen here is there. */
async function look({ redis, journal, prefix }: EventSource, turnId: string, from: Position): Promise<Look> {
  const { events } = sessionKeys(prefix, sessionOfTurn(turnId)).turn(turnId)
  const [state, page] = await answering(
    Promise.all([journal.stateOf(turnId), redis.xrange(events, from.entry, '+', 'COUNT', PAGE)]),
  )
  if (state === undefined) throw unknownTurn(turnId)
  return {
    state,
    entries: page.map(([entry, fields]) => [entry, fields[1] ?? '[]']),
    isWhole: page.length < PAGE,
  }
}

/** What was announced after `position`; undefined where that may not be all, or nothing was said for a while. */
function announcedAfter(position: Position, messages: readonly string[] = []): readonly Entry[] | undefined {
  if (messages.length === 0) return undefined
  const entries: Entry[] = []
  let last = position.entry
  for (const message of messages) {
    const said = parseAnnouncement(message)
    if (said === undefined) return undefined
    if (!isLater(said.entry, last)) continue // it was read
    if ((said.after || START.entry) !== last) return undefined
    entries.push([said.entry, said.events])
    last = said.entry
  }
  return entries
}

/** Nothing more will come: the reader has seen the end, or the stream has expired before it could. */
async function* endAfter(
  { journal }: EventSource,
  turnId: string,
  { entry }: Position,
): AsyncGenerator<TurnEvent, void> {
  const record = await requireTurn(journal, turnId)
  const endedAt = record.endedAt ?? record.acceptedAt
  const end = endOfRecord(record)
  if (end && timeOf(entry) < endedAt) yield event(`${endedAt}-0.0`, turnId, endedAt, end)
}

function event(id: string, turnId: string, at: number, body: TurnEventBody): TurnEvent {
  return { id, turnId, at, ...body }
}

/** When an entry was written: milliseconds since 1970, on Redis's clock. */
function timeOf(entry: string): number {
  return Number.parseInt(entry, 10)
}

function isLater(entry: string, than: string): boolean {
  const byTime = timeOf(entry) - timeOf(than)
  return byTime > 0 || (byTime === 0 && numberOf(entry) > numberOf(than))
}

/** Of an entry among those of its millisecond. */
function numberOf(entry: string): number {
  return Number(entry.slice(entry.indexOf('-') + 1))
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
  throw unknownTurn(turnId)
}

function unknownTurn(turnId: string): TurnkeeperError {
  return new TurnkeeperError(
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
