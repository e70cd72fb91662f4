/**
 * Lists turns from the indexes: open ones by acceptance, oldest first, then ended ones, newest first.
 *
 * I1. A cursor names the last entry that was looked at, so that turns that come and go between two pages neither
 *     repeat nor hide others.
 * I2. One page looks at 2,000 turns at most: with a filter it may hold fewer than asked for, and still have a cursor.
 */

import { TurnkeeperError } from '../../errors.ts'
import type { RedisConnection } from '../../redis/connection.ts'
import { globalKeys, sessionIdOf, sessionOfTurn } from '../../redis/keys.ts'
import type { Journal } from '../journal.ts'
import { isTerminal, type TurnRecord, type TurnState } from '../types.ts'

export type ListOptions = {
  readonly status?: TurnState
  readonly agent?: string
  readonly sessionId?: string
  /** Only turns that were given up without having been run to an end, and not retried since. */
  readonly dead?: boolean
  /** 1 to 1,000; default 50. */
  readonly limit?: number
  /** Of the page before. */
  readonly cursor?: string
}

export type TurnPage = {
  readonly turns: readonly TurnRecord[]
  /** For the next page; absent on the last one. */
  readonly cursor?: string
}

type ListSource = { readonly redis: RedisConnection; readonly prefix: string; readonly journal: Journal }

const INDEXES = ['open', 'ended', 'dead'] as const
type IndexName = (typeof INDEXES)[number]
/** A place in an index. */
type Place = { readonly index: IndexName; readonly score: number; readonly id: string }

const PAGE = 100
const MOST_LOOKED_AT = 2_000
const STATES: ReadonlySet<string> = new Set([
  'queued',
  'running',
  'waiting_approval',
  'needs_review',
  'completed',
  'failed',
  'cancelled',
] satisfies TurnState[])

/**
 * One page of turns.
 * @throws TurnkeeperError `turn/invalid_input` for a status, a limit or a cursor that is none.
 */
export async function listTurns(source: ListSource, options: ListOptions = {}): Promise<TurnPage> {
  const { limit = 50 } = options
  const start = checked(options)
  const turns: TurnRecord[] = []
  const seen = new Set<string>()
  let looked = 0
  for (const index of indexesFor(options)) {
    if (start && INDEXES.indexOf(index) < INDEXES.indexOf(start.index)) continue
    for await (const places of walk(source, index, start?.index === index ? start : undefined)) {
      const wanted = places.filter(({ id }) => !seen.has(id) && inSession(id, options.sessionId))
      const records = await Promise.all(wanted.map(({ id }) => source.journal.read(id)))
      for (const [i, record] of records.entries()) {
        const place = wanted[i] as Place
        seen.add(place.id)
        if (!record || !matches(record, options)) continue
        turns.push(record)
        if (turns.length === limit) return { turns, cursor: toCursor(place) }
      }
      looked += places.length
      if (looked >= MOST_LOOKED_AT) return { turns, cursor: toCursor(places.at(-1) as Place) }
    }
  }
  return { turns }
}

function indexesFor({ status, dead }: ListOptions): readonly IndexName[] {
  if (dead) return ['dead']
  if (status === undefined) return ['open', 'ended']
  return isTerminal(status) ? ['ended'] : ['open']
}

function inSession(turnId: string, sessionId: string | undefined): boolean {
  return sessionId === undefined || sessionIdOf(sessionOfTurn(turnId)) === sessionId
}

function matches(record: TurnRecord, { status, agent, dead }: ListOptions): boolean {
  if (dead && record.retriedAs !== undefined) return false
  return (status === undefined || record.state === status) && (agent === undefined || record.agent === agent)
}

/** Entries of an index in its order, in pages. */
async function* walk(
  { redis, prefix }: ListSource,
  index: IndexName,
  after: Place | undefined,
): AsyncGenerator<readonly Place[], void> {
  const key = globalKeys(prefix)[index]
  const newestFirst = index !== 'open'
  let last = after
  for (let offset = 0; ; ) {
    const from = last === undefined ? (newestFirst ? '+inf' : '-inf') : String(last.score)
    const flat = newestFirst
      ? await redis.zrevrangebyscore(key, from, '-inf', 'WITHSCORES', 'LIMIT', offset, PAGE)
      : await redis.zrangebyscore(key, from, '+inf', 'WITHSCORES', 'LIMIT', offset, PAGE)
    const page: Place[] = []
    for (let i = 0; i + 1 < flat.length; i += 2) {
      page.push({ index, id: flat[i] as string, score: Number(flat[i + 1]) })
    }
    // The bound is inclusive: entries of the same millisecond come again.
    const fresh = page.filter((place) => last === undefined || isBeyond(place, last, newestFirst))
    if (fresh.length > 0) yield fresh
    if (page.length < PAGE) return
    offset = fresh.length > 0 ? 0 : offset + PAGE
    last = fresh.at(-1) ?? last
  }
}

/** Redis orders members of one score by their bytes. */
function isBeyond(place: Place, last: Place, newestFirst: boolean): boolean {
  const ahead = newestFirst ? last.score - place.score : place.score - last.score
  if (ahead !== 0) return ahead > 0
  return newestFirst ? place.id < last.id : place.id > last.id
}

function toCursor({ index, score, id }: Place): string {
  return Buffer.from(`${index} ${score} ${id}`).toString('base64url')
}

function checked({ status, limit = 50, cursor }: ListOptions): Place | undefined {
  if (status !== undefined && !STATES.has(status)) {
    throw new TurnkeeperError('invalid_input', `status: expected one of ${[...STATES].join(', ')}`)
  }
  if (!Number.isInteger(limit) || limit < 1 || limit > 1_000) {
    throw new TurnkeeperError('invalid_input', 'limit: expected a whole number from 1 to 1000')
  }
  if (cursor === undefined) return undefined
  const [index, score, id] = Buffer.from(cursor, 'base64url').toString().split(' ')
  const known = INDEXES.find((name) => name === index)
  if (!known || !id || !Number.isFinite(Number(score))) {
    throw new TurnkeeperError('invalid_input', 'cursor: expected the cursor of the page before')
  }
  return { index: known, score: Number(score), id }
}
