/** Telemetry as in production, all of it on, with an exporter that throws away: what the library pays for itself. */

import { Writable } from 'node:stream'
import { ExportResultCode } from '@opentelemetry/core'
import { createLog } from '../../src/telemetry/log.ts'
import { exportMetrics } from '../../src/telemetry/metrics/export.ts'
import { createInstruments } from '../../src/telemetry/metrics/instruments.ts'
import { noTelemetry } from '../../src/telemetry/none.ts'
import { createRedactor } from '../../src/telemetry/redaction.ts'
import type { Telemetry } from '../../src/telemetry/telemetry.ts'
import { exportSpansTo } from '../../src/telemetry/traces/export.ts'
import { createObserve } from '../../src/telemetry/traces/observe.ts'

export type NullTelemetryOptions = {
  /** Default: every trace is kept. */
  readonly sampled?: boolean
  /** A secret of the configuration, as each has one. */
  readonly secrets?: readonly string[]
}

export type NullTelemetry = Telemetry & {
  /** The page of Prometheus. */
  readonly page: () => string
}

/** Spans in batches to nowhere, metrics in memory, log lines to a sink. */
export async function openNullTelemetry(options: NullTelemetryOptions = {}): Promise<NullTelemetry> {
  const { sampled = true, secrets = ['sk-none-0123456789abcdef'] } = options
  const identity = { service: 'turnkeeper-bench', version: '0.0.0', instanceId: 'bench' }
  const redactor = createRedactor(secrets)
  const nowhere = {
    export: (_spans: unknown, done: (result: { code: ExportResultCode }) => void) =>
      done({ code: ExportResultCode.SUCCESS }),
    shutdown: async () => {},
    forceFlush: async () => {},
  }
  const instruments = createInstruments()
  const log = await createLog({
    level: 'info',
    stream: new Writable({ write: (_line, _encoding, done) => done() }),
    base: { service: identity.service, instance: identity.instanceId },
    redactor,
  })
  return {
    ...noTelemetry,
    ...instruments,
    ...createObserve({
      sink: exportSpansTo(nowhere, identity),
      redactor,
      sampling: sampled ? 1 : 0,
      captureContent: false,
    }),
    log,
    page: exportMetrics(identity, instruments).page,
  }
}
