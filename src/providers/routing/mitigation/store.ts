/**
 * Mitigations in Redis: records, windows, requests, history. What follows is decided by `advance` in whatever process
 * looks; a script writes it, if nobody else has decided meanwhile.
 *
 * S1. Of all processes that see the same evidence, one makes the move: it alone counts it and says it.
 * S2. A change, its entry in the history and its announcement are one script.
 * S3. Time is that of Redis.
 * S4. An alert is heard once, however often it is delivered and by however many gateways.
 */

import type { RedisConnection } from '../../../redis/connection.ts'
import { globalKeys } from '../../../redis/keys.ts'
import { loadScript } from '../../../redis/scripts.ts'
import { emptiesWindow, type MitigationRecord, UNTOUCHED } from './machine.ts'
import { aliasOfSubject } from './subject.ts'
import type { Tally } from './tally.ts'

/** A subject as one process has found it. */
export type Observed = Tally & {
  readonly now: number
  readonly record: MitigationRecord
  /** As it stands in Redis: goes back with the move. */
  readonly raw: string
}

export type Request = { readonly at: number; readonly note: string; readonly raw: string }

export type AllRecords = {
  readonly now: number
  readonly records: ReadonlyMap<string, MitigationRecord>
  /** By alias. */
  readonly requests: ReadonlyMap<string, Request>
}

/** One move, as the history keeps it. */
export type MitigationMove = {
  readonly alias: string
  /** Absent where the whole alias moved. */
  readonly segment?: string
  readonly from: MitigationRecord['state']
  readonly to: MitigationRecord['state']
  readonly reason: MitigationRecord['reason']
  /** Who asked for it. */
  readonly note?: string
  /** Epoch milliseconds, by the clock of Redis. */
  readonly at: number
}

export type MitigationStore = {
  /** Channel on which something is published at each change and each request. */
  readonly channel: string
  /** Adds `tally` and reads the window. */
  observe(subject: string, windowMs: number, tally: Tally): Promise<Observed>
  /** Writes what follows `observed`; false if somebody was first. */
  move(subject: string, observed: Observed, to: MitigationRecord, granted?: Request): Promise<boolean>
  read(): Promise<AllRecords>
  /** Asks for the move of `aliases`; false if this alert has been heard before. */
  request(id: string, note: string, aliases: readonly string[]): Promise<boolean>
  /** Forgets a request that changes nothing. */
  forget(alias: string, request: Request): Promise<void>
  /** The latest moves, oldest first. */
  history(limit: number): Promise<readonly MitigationMove[]>
}

/** Longer than Alertmanager repeats an alert. */
const ALERTS_KEPT_MS = 7 * 24 * 3_600_000

/** The mitigations under `prefix`, in the slot of its health. */
export function createMitigationStore(redis: RedisConnection, prefix: string): MitigationStore {
  const scripts = {
    observe: loadScript('observe', import.meta.url),
    move: loadScript('move', import.meta.url),
    read: loadScript('read', import.meta.url),
    request: loadScript('request', import.meta.url),
    forget: loadScript('forget', import.meta.url),
  }
  const base = `{${globalKeys(prefix).health}}:mitigation`
  const keys = {
    records: `${base}:records`,
    requests: `${base}:requests`,
    alerts: `${base}:alerts`,
    history: `${base}:history`,
    windows: (subject: string) => `${base}:windows:${subject}`,
  }
  const channel = `${base}:changes`
  return {
    channel,
    async observe(subject, windowMs, { attempts, failures, missing }) {
      const args = [subject, windowMs, attempts, failures, missing]
      const reply = await scripts.observe.run(redis, [keys.records, keys.windows(subject)], args)
      const [now, raw, ...counts] = reply as [string, string, number, number, number] // what observe.lua returns
      const [all, failed, notFound] = counts.map(Number) as [number, number, number]
      return {
        now: Number(now),
        record: toRecord(raw),
        raw,
        attempts: all,
        failures: failed,
        missing: notFound,
      }
    },
    async move(subject, { record: from, raw }, to, granted) {
      const empties = emptiesWindow(from.state, to.state) ? '1' : ''
      const words = [from.state, to.state, to.reason, to.note ?? '']
      const reply = await scripts.move.run(
        redis,
        [keys.records, keys.windows(subject), keys.history, keys.requests],
        [subject, channel, raw, JSON.stringify(to), empties, granted?.raw ?? '', ...words],
      )
      return Number(reply) === 1
    },
    async read() {
      const reply = await scripts.read.run(redis, [keys.records, keys.requests], [])
      const [now, records, requests] = reply as [string, string[], string[]] // what read.lua returns
      return {
        now: Number(now),
        records: new Map(pairs(records).map(([subject, raw]) => [subject, toRecord(raw)])),
        requests: new Map(pairs(requests).map(([alias, raw]) => [alias, toRequest(raw)])),
      }
    },
    async request(id, note, aliases) {
      const args = [channel, id, ALERTS_KEPT_MS, note, ...aliases]
      return Number(await scripts.request.run(redis, [keys.requests, keys.alerts], args)) === 1
    },
    async forget(alias, { raw }) {
      await scripts.forget.run(redis, [keys.requests], [alias, raw])
    },
    async history(limit) {
      const entries = await redis.xrevrange(keys.history, '+', '-', 'COUNT', limit)
      return entries.map(([id, fields]) => toMove(id, fields)).reverse()
    },
  }
}

function toRecord(raw: string): MitigationRecord {
  return raw === '' ? UNTOUCHED : (JSON.parse(raw) as MitigationRecord) // only this file writes it
}

/** `<epoch ms> <note>` */
function toRequest(raw: string): Request {
  const space = raw.indexOf(' ')
  return { at: Number(raw.slice(0, space)), note: raw.slice(space + 1), raw }
}

function pairs(flat: readonly string[]): readonly (readonly [string, string])[] {
  return flat.flatMap((name, i) => (i % 2 === 0 ? [[name, flat[i + 1] ?? ''] as const] : []))
}

function toMove(id: string, fields: readonly string[]): MitigationMove {
  const values = new Map(pairs(fields))
  const subject = values.get('subject') ?? ''
  const alias = aliasOfSubject(subject)
  const note = values.get('note')
  return {
    alias,
    ...(subject !== alias && { segment: subject.slice(alias.length + 1) }),
    from: values.get('from') as MitigationMove['from'], // only our script writes it
    to: values.get('to') as MitigationMove['to'],
    reason: values.get('reason') as MitigationMove['reason'],
    ...(note && { note }),
    at: Number(id.split('-', 1)[0]),
  }
}
