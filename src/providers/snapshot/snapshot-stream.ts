/** `telemetry.jsonl`: how the routes stand as lines of a file, for whoever follows a file rather than a page. */

import { appendFile, mkdir, rename, stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import type { TelemetryConfig } from '../../config/config.ts'
import type { RunningTelemetry } from '../../telemetry/create.ts'
import { pageToSamples } from '../../telemetry/metrics/samples.ts'
import type { Log } from '../../telemetry/telemetry.ts'
import { samplesToSnapshot, snapshotToLines } from './snapshot.ts'

/** The stream that the configuration asks for, if it asks for one and there are metrics. */
export function streamOfConfig(
  { jsonl }: TelemetryConfig,
  { instance, metricsPage: page, log }: RunningTelemetry,
): AsyncDisposable | undefined {
  if (jsonl === undefined || page === undefined) return undefined
  return streamSnapshots({ file: jsonl, instance, page, log })
}

export type SnapshotStreamOptions = {
  readonly file: string
  /** Stands in each line: several processes may write one file. */
  readonly instance: string
  /** The metrics of this process, as Prometheus reads them. */
  readonly page: () => string
  readonly log: Log
  /** Default 10,000. */
  readonly everyMs?: number
  /** A file that has grown beyond it becomes `<file>.1`, in the place of the one before. Default 64 MiB. */
  readonly maxBytes?: number
}

const EVERY_MS = 10_000
const MAX_BYTES = 64 * 1024 * 1024

/** Appends a line a route at each tick, and a last time when it is closed. A file that cannot be written is said once. */
export function streamSnapshots(options: SnapshotStreamOptions): AsyncDisposable {
  const { file, instance, page, log, everyMs = EVERY_MS, maxBytes = MAX_BYTES } = options
  let isFailing = false
  const write = async (): Promise<void> => {
    try {
      const snapshot = samplesToSnapshot([pageToSamples(await page())], new Date())
      const lines = snapshotToLines(snapshot, { instance })
      await mkdir(dirname(file), { recursive: true })
      await appendFile(file, lines.map((line) => `${line}\n`).join(''), { mode: 0o600 })
      if ((await stat(file)).size > maxBytes) await rename(file, `${file}.1`)
      isFailing = false
    } catch (error) {
      if (!isFailing) log.warn({ file, error }, 'telemetry.jsonl cannot be written; it is tried again')
      isFailing = true
    }
  }
  let writing = Promise.resolve()
  const tick = (): Promise<void> => {
    writing = writing.then(write)
    return writing
  }
  const timer = setInterval(tick, everyMs).unref()
  return {
    async [Symbol.asyncDispose]() {
      clearInterval(timer)
      await tick()
    },
  }
}
