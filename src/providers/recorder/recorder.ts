/**
 * The recorder: keeps the evidence of every failed attempt, and of a share of the good ones.
 *
 * attempt ended ──▶ waiting (bounded) ──▶ redacted ──▶ file ──▶ Redis
 *                      └ full: dropped        └ disk refuses ┴ Redis away: that part is dropped
 *
 * C1. Never on the path of a call: `record` makes an id and a queue entry; nobody waits for the rest.
 * C2. What cannot be kept is dropped and counted; the log says so once, until it works again.
 * C3. Nothing is written that has not passed the redactor.
 */

import { randomBytes } from 'node:crypto'

import type { RecorderConfig } from '../../config/config.ts'
import type { RedisConnection } from '../../redis/connection.ts'
import type { Redactor } from '../../telemetry/redaction.ts'
import type { Telemetry } from '../../telemetry/telemetry.ts'
import type { AttemptReport } from '../upstream.ts'
import { createRawFiles, type RawFiles } from './raw-files.ts'
import type { ProviderRecord, RawLocation, RecordLine, Trail } from './record.ts'
import { createRecordStore, type RecordReader, type RecordStore } from './record-store.ts'
import { type Recordable, toRecordLine } from './to-record.ts'

export type Recorder = RecordReader & {
  /** The id of the record that will be kept; undefined where none is wanted, or there is no room. */
  record(report: AttemptReport, trail: Omit<Trail, 'streamed'>): string | undefined
  /** Waits, at most a few seconds, until what is waiting has been written. */
  close(): Promise<void>
}

/** Why a failure has no excerpt, or only half of its evidence. */
export const MISSING_REASONS = ['queue_full', 'disk', 'redis', 'fault'] as const
export type MissingReason = (typeof MISSING_REASONS)[number]

export type RecorderOptions = {
  readonly config: RecorderConfig
  readonly redis: RedisConnection
  readonly prefix: string
  readonly telemetry: Telemetry
  readonly redactor: Redactor
  /** Labels of a route: names that only a client knows become `other`. */
  readonly labelsOf: (route: string) => { readonly route: string; readonly provider: string }
  /** 0 to 1. Default `Math.random`. */
  readonly random?: () => number
  /** Records that wait to be written. Default 256. */
  readonly mostWaiting?: number
}

const MOST_WAITING = 256
const CLOSE_MS = 5000

/** A recorder of one process. */
export function createRecorder(options: RecorderOptions): Recorder {
  const { config, redis, prefix, telemetry, labelsOf, random = Math.random } = options
  const { mostWaiting = MOST_WAITING } = options
  const store = createRecordStore({ redis, prefix, keepMs: config.keepMs })
  const files = createRawFiles({ dir: config.dir, keepMs: config.keepMs })
  const alarm = createAlarm(telemetry)
  const waiting: Recordable[] = []
  let writing: Promise<void> | undefined

  const missing = (route: string, reason: MissingReason): void => {
    const labels = labelsOf(route)
    telemetry.count('provider_raw_excerpt_missing_total', {
      route: labels.route,
      provider: labels.provider,
      reason,
    })
  }
  const drain = async (): Promise<void> => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
      await write(next, { ...options, store, files, alarm, missing })
    }
    writing = undefined
  }
  return {
    list: store.list,
    get: store.get,
    record(report, trail) {
      const { evidence, outcome, route } = report
      const isWanted = outcome === 'failed' || (outcome === 'ok' && random() < config.sample)
      if (!isWanted || evidence === undefined) return undefined
      if (waiting.length >= mostWaiting) {
        missing(route, 'queue_full')
        alarm.failed('queue_full', undefined)
        return undefined
      }
      const at = Date.now()
      const id = newRecordId(at)
      const traceId = telemetry.carrier().traceparent?.split('-')[1]
      const { provider } = labelsOf(route)
      waiting.push({ id, at, provider, report, evidence, trail, ...(traceId && { traceId }) })
      // The first await keeps redaction off the stack of the call that has just ended.
      writing ??= Promise.resolve().then(nextTurn).then(drain)
      return id
    },
    async close() {
      await Promise.race([writing, afterMs(CLOSE_MS)])
      waiting.length = 0
      await files.close()
    },
  }
}

type WriteOptions = RecorderOptions & {
  readonly store: RecordStore
  readonly files: RawFiles
  readonly alarm: Alarm
  readonly missing: (route: string, reason: MissingReason) => void
}

/** Writes one record as far as it can; never rejects. */
async function write(recordable: Recordable, options: WriteOptions): Promise<void> {
  const { config, redis, redactor, store, files, alarm, missing } = options
  const { route } = recordable.report
  const failed = (reason: MissingReason, error: unknown): undefined => {
    missing(route, reason)
    alarm.failed(reason, error)
  }
  try {
    const keepRequest = config.request === 'failed' && recordable.report.outcome === 'failed'
    const { excerptBytes } = config
    const line = toRecordLine(recordable, { redactor, excerptBytes, keepRequest })
    const raw = await appendLine(files, line).catch((error: unknown) => failed('disk', error))
    if (raw) alarm.worked('disk')
    // A command to a Redis that is away would wait in its connection; a record is not worth that.
    if (redis.status !== 'ready') return failed('redis', new Error(`the connection is ${redis.status}`))
    await store.put(toKept(line, raw)).then(
      () => alarm.worked('redis'),
      (error: unknown) => failed('redis', error),
    )
  } catch (error) {
    failed('fault', error)
  }
}

function appendLine(files: RawFiles, line: RecordLine): Promise<RawLocation> {
  return files.append(JSON.stringify(line))
}

/** Without what stands in the file alone. */
function toKept(line: RecordLine, raw: RawLocation | undefined): ProviderRecord {
  const { rawHead: _head, rawTail: _tail, omittedBytes: _omitted, requestBody: _body, ...record } = line
  return { ...record, ...(raw && { raw }) }
}

type Alarm = { failed(reason: MissingReason, error: unknown): void; worked(reason: MissingReason): void }

const REMEDIES: Readonly<Record<MissingReason, string>> = {
  queue_full: 'records are dropped: more attempts fail than can be written',
  disk: 'raw bytes of records are dropped: check space and rights of recorder.dir',
  redis: 'records are not listed: Redis does not take them; recorder.dir has them',
  fault: 'a record could not be made',
}

/** One line when something begins to fail, one when it works again. */
function createAlarm({ log }: Telemetry): Alarm {
  const failing = new Set<MissingReason>()
  return {
    failed(reason, error) {
      if (failing.has(reason)) return
      failing.add(reason)
      log.warn({ reason, error }, REMEDIES[reason])
    },
    worked(reason) {
      failing.delete('queue_full')
      if (failing.delete(reason)) log.info({ reason }, 'records are kept again')
    },
  }
}

/** Sortable by time, and safe in URLs and file names. */
function newRecordId(at: number): string {
  return `r-${at.toString(36)}-${randomBytes(5).toString('hex')}`
}

function nextTurn(): Promise<void> {
  return new Promise((resolve) => void setImmediate(resolve))
}

function afterMs(ms: number): Promise<void> {
  return new Promise((resolve) => void setTimeout(resolve, ms).unref())
}
