/**
 * The OpenTelemetry SDK, wired by hand: the only importer of its packages, itself only reached by
 * `await import`, so that importing the library stays light. `sdk-node` would bring grpc and protobuf along.
 */

import { context, type Meter, type TextMapPropagator, type Tracer } from '@opentelemetry/api'
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks'
import { ExportResultCode, W3CTraceContextPropagator } from '@opentelemetry/core'
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http'
import { resourceFromAttributes } from '@opentelemetry/resources'
import {
  AggregationTemporality,
  InstrumentType,
  MeterProvider,
  MetricReader,
} from '@opentelemetry/sdk-metrics'
import {
  BatchSpanProcessor,
  ParentBasedSampler,
  type SpanExporter,
  TraceIdRatioBasedSampler,
  TracerProvider,
} from '@opentelemetry/sdk-trace'
import { createPageWriter } from './page.ts'

const SCOPE = 'turnkeeper'
/** How long an export, and so a shutdown, may wait for a receiver that does not answer. */
const EXPORT_TIMEOUT_MS = 5000
/**
 * Series of one metric that a process keeps; what comes beyond is folded into one and alerted on. Above the default of
 * 2,000, since a move between routes has a series for each pair and reason: 9 × n(n − 1) an alias.
 */
const SERIES_PER_METRIC = 10_000
/** What we set is names and numbers; longer is a mistake and may be content. */
const MAX_ATTRIBUTE_CHARS = 1024

export type Identity = { readonly service: string; readonly version: string; readonly instanceId: string }

export type Tracing = {
  readonly tracer: Tracer
  readonly propagator: TextMapPropagator
  /** Sends what is left, then stops. */
  close(): Promise<void>
}

export type TracingOptions = {
  /** `/v1/traces` is added. */
  readonly otlpEndpoint: string
  /** Share of the traces that begin here and are kept; the others follow their parent. */
  readonly sampling: number
  /** Called at the first of a row of failed exports. */
  readonly onExportFailed: (error: Error | undefined) => void
}

/** Traces over OTLP/HTTP, in batches; of an instance of its own, never the global provider. */
export function setUpTracing(
  identity: Identity,
  { otlpEndpoint, sampling, onExportFailed }: TracingOptions,
): Tracing {
  shareContext()
  const exporter = new OTLPTraceExporter({
    url: `${otlpEndpoint}/v1/traces`,
    timeoutMillis: EXPORT_TIMEOUT_MS,
  })
  const provider = new TracerProvider({
    resource: resourceOf(identity),
    sampler: new ParentBasedSampler({ root: new TraceIdRatioBasedSampler(sampling) }),
    spanLimits: { attributeValueLengthLimit: MAX_ATTRIBUTE_CHARS },
    spanProcessors: [new BatchSpanProcessor({ exporter: tellFailures(exporter, onExportFailed) })],
  })
  return {
    tracer: provider.getTracer(SCOPE, identity.version),
    propagator: new W3CTraceContextPropagator(),
    close: () => provider.shutdown(),
  }
}

export type Metering = {
  readonly meter: Meter
  /** The page that Prometheus reads, collected now. */
  page(): Promise<string>
  close(): Promise<void>
}

/** Metrics that are kept in memory until somebody asks for the page. */
export function setUpMetrics(identity: Identity): Metering {
  const reader = new PageReader()
  const provider = new MeterProvider({ resource: resourceOf(identity), readers: [reader] })
  const write = createPageWriter()
  return {
    meter: provider.getMeter(SCOPE, identity.version),
    page: shareRunning(async () => write((await reader.collect()).resourceMetrics)),
    close: () => provider.shutdown(),
  }
}

/** One collection at a time: of two at once, the SDK would give the gauges to the first alone. */
function shareRunning(collect: () => Promise<string>): () => Promise<string> {
  let running: Promise<string> | undefined
  return () => {
    running ??= collect().finally(() => {
      running = undefined
    })
    return running
  }
}

/**
 * Collects when asked. The exporter's own reader is cumulative in gauges too, and so shows a series that is no
 * longer observed at its last value for ever; here it ends. (The SDK wants a reader to extend its class.)
 */
class PageReader extends MetricReader {
  constructor() {
    super({
      cardinalitySelector: () => SERIES_PER_METRIC,
      aggregationTemporalitySelector: (instrument) =>
        instrument === InstrumentType.OBSERVABLE_GAUGE
          ? AggregationTemporality.DELTA
          : AggregationTemporality.CUMULATIVE,
    })
  }

  protected override async onForceFlush(): Promise<void> {}

  protected override async onShutdown(): Promise<void> {}
}

/**
 * The one global: spans that a tool makes with its own OpenTelemetry must nest in ours, and the API's context is
 * how they find them. The first manager of the process stays, whosever it is; a second call changes nothing.
 */
function shareContext(): void {
  const manager = new AsyncLocalStorageContextManager().enable()
  if (!context.setGlobalContextManager(manager)) manager.disable()
}

function resourceOf({ service, version, instanceId }: Identity) {
  return resourceFromAttributes({
    'service.name': service,
    'service.version': version,
    'service.instance.id': instanceId,
  })
}

/** The exporter, with the first failure after a success told: the SDK would keep it to itself. */
function tellFailures(
  exporter: SpanExporter,
  onExportFailed: TracingOptions['onExportFailed'],
): SpanExporter {
  let isFailing = false
  return {
    export: (spans, done) =>
      exporter.export(spans, (result) => {
        const failed = result.code !== ExportResultCode.SUCCESS
        if (failed && !isFailing) onExportFailed(result.error)
        isFailing = failed
        done(result)
      }),
    shutdown: () => exporter.shutdown(),
    forceFlush: () => exporter.forceFlush?.() ?? Promise.resolve(),
  }
}
