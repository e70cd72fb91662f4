/** Telemetry as in production, all of it on, with an exporter that throws away: what the library pays for itself. */

import { Writable } from 'node:stream'
import { context } from '@opentelemetry/api'
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks'
import { ExportResultCode, W3CTraceContextPropagator } from '@opentelemetry/core'
import {
  AlwaysOffSampler,
  BatchSpanProcessor,
  ParentBasedSampler,
  type Sampler,
  TracerProvider,
} from '@opentelemetry/sdk-trace'
import { createInstruments } from '../../src/telemetry/instruments.ts'
import { createLog } from '../../src/telemetry/log.ts'
import { noTelemetry } from '../../src/telemetry/none.ts'
import { createObserve } from '../../src/telemetry/observe.ts'
import { createRedactor } from '../../src/telemetry/redaction.ts'
import { setUpMetrics } from '../../src/telemetry/setup.ts'
import type { Telemetry } from '../../src/telemetry/telemetry.ts'

export type NullTelemetryOptions = {
  /** Default: every trace is kept. */
  readonly sampled?: boolean
  /** A secret of the configuration, as each has one. */
  readonly secrets?: readonly string[]
}

export type NullTelemetry = Telemetry & {
  /** The page of Prometheus. */
  readonly page: () => Promise<string>
}

/** Spans in batches to nowhere, metrics in memory, log lines to a sink. */
export async function openNullTelemetry(options: NullTelemetryOptions = {}): Promise<NullTelemetry> {
  const { sampled = true, secrets = ['sk-none-0123456789abcdef'] } = options
  const redactor = createRedactor(secrets)
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable())
  const off: { sampler?: Sampler } = sampled
    ? {}
    : { sampler: new ParentBasedSampler({ root: new AlwaysOffSampler() }) }
  const provider = new TracerProvider({
    ...off,
    spanLimits: { attributeValueLengthLimit: 1024 },
    spanProcessors: [
      new BatchSpanProcessor({
        exporter: {
          export: (_spans, done) => done({ code: ExportResultCode.SUCCESS }),
          shutdown: async () => {},
          forceFlush: async () => {},
        },
      }),
    ],
  })
  const metering = setUpMetrics({ service: 'turnkeeper-bench', version: '0.0.0', instanceId: 'bench' })
  const log = await createLog({
    level: 'info',
    stream: new Writable({ write: (_line, _encoding, done) => done() }),
    base: { service: 'turnkeeper-bench', instance: 'bench' },
    redactor,
  })
  return {
    ...noTelemetry,
    ...createInstruments(metering.meter),
    ...createObserve({
      tracer: provider.getTracer('turnkeeper'),
      startAs(ids, start) {
        ids.spanId() // as the generator of ids would; none of these spans is without a parent
        return start()
      },
      propagator: new W3CTraceContextPropagator(),
      redactor,
    }),
    log,
    page: metering.page,
  }
}
