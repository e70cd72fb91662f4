/** As many spans, attributes, metrics and lines as a one-step turn has, made by hand on the SDK and pino: nothing redacted, nothing checked. */

import { Writable } from 'node:stream'
import {
  type Attributes,
  context,
  defaultTextMapGetter,
  defaultTextMapSetter,
  trace,
} from '@opentelemetry/api'
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks'
import { ExportResultCode, W3CTraceContextPropagator } from '@opentelemetry/core'
import { MeterProvider, MetricReader } from '@opentelemetry/sdk-metrics'
import { BatchSpanProcessor, TracerProvider } from '@opentelemetry/sdk-trace'
import { pino } from 'pino'
import { cpuOf } from '../../harness/cpu.ts'
import type { Measure } from '../../harness/group.ts'

const SPANS = ['process turns', 'invoke_agent assistant', 'chat coder', 'provider_attempt', 'POST'] as const
const ATTRIBUTES: Attributes = {
  ...{ 'gen_ai.operation.name': 'chat', 'gen_ai.request.model': 'coder', 'gen_ai.provider.name': 'main' },
  ...{ 'turnkeeper.route': 'main/first', 'gen_ai.usage.input_tokens': 120, 'attempt.number': 1 },
}
const LABELS = { route: 'main/first', model: 'first', outcome: 'ok' }
const COUNTERS = 5
const HISTOGRAMS = 4

/** One that only keeps: without a reader the SDK measures nothing. */
class Reader extends MetricReader {
  protected override async onForceFlush(): Promise<void> {}
  protected override async onShutdown(): Promise<void> {}
}

export const measure: Measure = async () => {
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable())
  const exporter = {
    export: (_spans: unknown, done: (result: { code: ExportResultCode }) => void) =>
      done({ code: ExportResultCode.SUCCESS }),
    shutdown: async () => {},
    forceFlush: async () => {},
  }
  const provider = new TracerProvider({ spanProcessors: [new BatchSpanProcessor({ exporter })] })
  const tracer = provider.getTracer('bench')
  const propagator = new W3CTraceContextPropagator()
  const meter = new MeterProvider({ readers: [new Reader()] }).getMeter('bench')
  const counters = Array.from({ length: COUNTERS }, (_, i) => meter.createCounter(`counter_${i}`))
  const histograms = Array.from({ length: HISTOGRAMS }, (_, i) => meter.createHistogram(`histogram_${i}`))
  const log = pino({ level: 'info' }, new Writable({ write: (_line, _encoding, done) => done() }))

  const within = (depth: number): Promise<void> =>
    tracer.startActiveSpan(SPANS[depth] ?? '', async (span) => {
      span.setAttributes(ATTRIBUTES)
      if (depth + 1 < SPANS.length) await within(depth + 1)
      else {
        for (const counter of counters) counter.add(1, LABELS)
        for (const histogram of histograms) histogram.record(0.2, LABELS)
      }
      if (depth === 0) log.info({ turn: 'turn-0123456789', agent: 'assistant', steps: 1 }, 'turn completed')
      span.end()
    })
  const turn = async (): Promise<void> => {
    const carrier = {}
    tracer.startActiveSpan('send turns', (span) => {
      propagator.inject(context.active(), carrier, defaultTextMapSetter)
      span.end()
    })
    const sent = propagator.extract(trace.deleteSpan(context.active()), carrier, defaultTextMapGetter)
    await context.with(sent, () => within(0))
  }
  return { 'one-step turn': await cpuOf(turn, { warmUpMs: 2400, measureMs: 1000 }) }
}
