/**
 * The mitigations as this process sees them, kept in step with Redis in the background.
 *
 * opening ──first read──▶ in step ◀──Redis away, Redis back──▶ last view ──close──▶ closed
 *
 * W1. `recordOf` and `count` are synchronous: a call waits for no Redis and sends it no command.
 * W2. What was seen is told once a tick, all of it in a few commands; with nothing seen and nothing moved, a tick is
 *     one read.
 * W3. A move anywhere is seen within a tick, and usually at once: the channel is a hint, the poll is the promise.
 * W4. While Redis is away the last view stands; what it has not been told is kept for a minute.
 */

import type { Reason } from '../../../errors.ts'
import type { RedisConnection } from '../../../redis/connection.ts'
import type { Telemetry } from '../../../telemetry/telemetry.ts'
import { advance, type MitigationRecord, UNTOUCHED } from './machine.ts'
import { sayMove } from './say.ts'
import { createMitigationStore, type MitigationMove, type MitigationStore, type Request } from './store.ts'
import { aliasOfSubject, type MitigatedAlias, segmentOfSubject } from './subject.ts'
import { createTallies } from './tally.ts'

export type WatchOptions = {
  readonly redis: RedisConnection
  /** Hints of changes; may be shared, and is left open. */
  readonly subscriber: RedisConnection
  readonly prefix: string
  readonly aliases: readonly MitigatedAlias[]
  /** Whether an alias has a usable route now. */
  readonly canServe: (alias: string) => boolean
  readonly telemetry: Telemetry
  /** Default 800 ms. */
  readonly tickMs?: number | undefined
  /** Monotonic milliseconds. Default `performance.now`. */
  readonly now?: () => number
}

/** A mitigation that is not, or no longer, `normal`. */
export type Standing = MitigationRecord & {
  readonly alias: string
  /** Undefined where the whole alias is meant. */
  readonly segment: string | undefined
  /** Until the end of the hold; undefined unless moved. */
  readonly leftMs: number | undefined
}

export type MitigationWatch = {
  /** Of an alias or of a segment of it (`segmentSubject`). */
  recordOf(subject: string): MitigationRecord
  standings(): readonly Standing[]
  /** One attempt on the first route of `alias`; `failure` is absent when it went well. */
  count(alias: string, segment: string | undefined, failure?: Reason): void
  /** The latest moves of the whole fleet, oldest first. */
  history(): Promise<readonly MitigationMove[]>
  /** Tells what is pending and stops. The connections stay open. */
  close(): Promise<void>
}

const HISTORY_LENGTH = 1000
const NEWS_FOR_MS = 60_000

type View = {
  records: ReadonlyMap<string, MitigationRecord>
  requests: ReadonlyMap<string, Request>
  /** The clock of Redis is ahead of ours by this. */
  offsetMs: number
}

/** Reads all mitigations once, then keeps them in step until closed. Rejects for nothing that Redis does. */
export async function openWatch(options: WatchOptions): Promise<MitigationWatch> {
  const { redis, subscriber, prefix, tickMs = 800, now = () => performance.now() } = options
  const store = createMitigationStore(redis, prefix)
  const aliases = new Map(options.aliases.map((alias) => [alias.alias, alias]))
  const tallies = createTallies()
  let view: View = { records: new Map(), requests: new Map(), offsetMs: 0 }
  let heardAt = now()
  let isClosed = false
  let working: Promise<void> | undefined
  let workAgain = false

  const read = async (): Promise<void> => {
    const { now: redisNow, records, requests } = await store.read()
    view = { records, requests, offsetMs: redisNow - now() }
    heardAt = now()
  }
  const work = async (): Promise<void> => {
    await read()
    const subjects = new Set([...tallies.subjects(), ...toLookAt(view, now())])
    const known = [...subjects].filter((subject) => aliases.has(aliasOfSubject(subject)))
    const made = await Promise.all(known.map((subject) => examine(subject)))
    if (made.includes(true)) await read()
  }
  const examine = async (subject: string): Promise<boolean> => {
    const alias = aliases.get(aliasOfSubject(subject))
    if (alias === undefined) return false
    const { mitigation: policy } = alias
    const observed = await store.observe(subject, policy.windowMs, tallies.take(subject))
    const asked = view.requests.get(subject)
    const isStale = asked !== undefined && observed.now - asked.at > policy.holdMs
    const request = asked && !isStale ? { request: asked.note } : {}
    const evidence = { ...observed, ...request, canMove: options.canServe(policy.fallback) }
    const next = advance(observed.record, evidence, policy)
    if (next === undefined) {
      if (asked !== undefined) await store.forget(subject, asked)
      return false
    }
    const isOurs = await store.move(subject, observed, next, asked)
    const segment = segmentOfSubject(subject)
    if (isOurs) sayMove(options.telemetry, { alias, segment, from: observed.record, to: next, observed })
    return isOurs
  }
  /** One look at a time; a call during it causes another. Never rejects. */
  const look = (): Promise<void> => {
    workAgain = true
    working ??= lookUntilQuiet()
    return working
  }
  const lookUntilQuiet = async (): Promise<void> => {
    while (workAgain) {
      workAgain = false
      if (redis.status === 'ready') await work().catch(ignore)
      if (now() - heardAt > NEWS_FOR_MS) tallies.clear()
    }
    working = undefined
  }
  const onMessage = (channel: string): void => {
    if (channel === store.channel && !isClosed) void look()
  }
  subscriber.on('message', onMessage)
  const subscribed = subscriber.subscribe(store.channel).catch(ignore)
  await look()
  const timer = setInterval(() => void look(), tickMs)
  timer.unref()

  return {
    recordOf: (subject) => view.records.get(subject) ?? UNTOUCHED,
    standings: () => toStandings(view, now()).filter(({ alias }) => aliases.has(alias)),
    count: tallies.add,
    history: () => store.history(HISTORY_LENGTH),
    async close() {
      if (isClosed) return
      isClosed = true
      clearInterval(timer)
      subscriber.off('message', onMessage)
      await working
      await tellAll(store, { tallies, aliases, isUp: redis.status === 'ready' })
      if (subscriber.status !== 'ready') return
      await subscribed
      await subscriber.unsubscribe(store.channel).catch(ignore)
    },
  }
}

/** What may move by itself: what was asked for, what has warned or returns, and holds that are over. */
function toLookAt({ records, requests, offsetMs }: View, now: number): string[] {
  const due = [...records].filter(([, { state, until = 0 }]) =>
    state === 'moved' ? until <= now + offsetMs : state !== 'normal',
  )
  return [...due.map(([subject]) => subject), ...requests.keys()]
}

function toStandings({ records, offsetMs }: View, now: number): Standing[] {
  return [...records]
    .filter(([, { state }]) => state !== 'normal')
    .map(([subject, record]) => ({
      ...record,
      alias: aliasOfSubject(subject),
      segment: segmentOfSubject(subject),
      leftMs: record.until === undefined ? undefined : Math.max(0, record.until - now - offsetMs),
    }))
}

type Telling = {
  readonly tallies: ReturnType<typeof createTallies>
  readonly aliases: ReadonlyMap<string, MitigatedAlias>
  readonly isUp: boolean
}

/** The last news of a process that leaves; others draw the conclusions. */
async function tellAll(store: MitigationStore, { tallies, aliases, isUp }: Telling): Promise<void> {
  if (!isUp) return
  await Promise.allSettled(
    tallies.subjects().map(async (subject) => {
      const windowMs = aliases.get(aliasOfSubject(subject))?.mitigation.windowMs
      if (windowMs !== undefined) await store.observe(subject, windowMs, tallies.take(subject))
    }),
  )
}

function ignore(): void {}
