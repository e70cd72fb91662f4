/**
 * The OpenTelemetry SDK, wired by hand: the only importer of its packages, itself only reached by
 * `await import`, so that importing the library stays light. `sdk-node` would bring grpc and protobuf along.
 */

import { context, type Meter, type Span, type TextMapPropagator, type Tracer } from '@opentelemetry/api'
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks'
import { type ExportResult, ExportResultCode, W3CTraceContextPropagator } from '@opentelemetry/core'
import { OTLPMetricExporter } from '@opentelemetry/exporter-metrics-otlp-http'
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http'
import { resourceFromAttributes } from '@opentelemetry/resources'
import {
  AggregationTemporality,
  InstrumentType,
  MeterProvider,
  MetricReader,
  PeriodicExportingMetricReader,
  type PushMetricExporter,
} from '@opentelemetry/sdk-metrics'
import {
  BatchSpanProcessor,
  type IdGenerator,
  ParentBasedSampler,
  RandomIdGenerator,
  TraceIdRatioBasedSampler,
  TracerProvider,
} from '@opentelemetry/sdk-trace'
import { createPageWriter } from './page.ts'
import type { SpanIds } from './span-ids.ts'

const SCOPE = 'turnkeeper'
/** How long an export, and so a shutdown, may wait for a receiver that does not answer. */
const EXPORT_TIMEOUT_MS = 5000
/**
 * Series of one metric that a process keeps; what comes beyond is folded into one and alerted on. Above the default of
 * 2,000, since a move between routes has a series for each pair and reason: 9 × n(n − 1) an alias.
 */
const SERIES_PER_METRIC = 10_000
/** As the specification has it: https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/. */
const METRICS_EVERY_MS = 60_000
/** What we set is names and numbers; longer is a mistake and may be content. */
const MAX_ATTRIBUTE_CHARS = 1024
/** Of prompts and answers, where they are wanted. */
const MAX_CONTENT_CHARS = 16 * 1024

export type Identity = { readonly service: string; readonly version: string; readonly instanceId: string }

export type Tracing = {
  readonly tracer: Tracer
  /** Starts a span under these ids instead of random ones; `start` starts exactly one. */
  startAs(ids: SpanIds, start: () => Span): Span
  readonly propagator: TextMapPropagator
  /** Sends what is left, then stops. */
  close(): Promise<void>
}

export type TracingOptions = {
  /** `/v1/traces` is added. */
  readonly otlpEndpoint: string
  /** Share of the traces that begin here and are kept; the others follow their parent. */
  readonly sampling: number
  readonly captureContent: boolean
  /** Called at the first of a row of failed exports. */
  readonly onExportFailed: (error: Error | undefined) => void
}

/** Traces over OTLP/HTTP, in batches; of an instance of its own, never the global provider. */
export function setUpTracing(
  identity: Identity,
  { otlpEndpoint, sampling, captureContent, onExportFailed }: TracingOptions,
): Tracing {
  shareContext()
  const exporter = new OTLPTraceExporter({
    url: `${otlpEndpoint}/v1/traces`,
    timeoutMillis: EXPORT_TIMEOUT_MS,
  })
  const ids = createIds()
  const provider = new TracerProvider({
    resource: resourceOf(identity),
    idGenerator: ids,
    sampler: new ParentBasedSampler({ root: new TraceIdRatioBasedSampler(sampling) }),
    spanLimits: { attributeValueLengthLimit: captureContent ? MAX_CONTENT_CHARS : MAX_ATTRIBUTE_CHARS },
    spanProcessors: [new BatchSpanProcessor({ exporter: tellFailures(exporter, onExportFailed) })],
  })
  return {
    tracer: provider.getTracer(SCOPE, identity.version),
    startAs: ids.startAs,
    propagator: new W3CTraceContextPropagator(),
    close: () => provider.shutdown(),
  }
}

/** Random ids, but for spans that are started under known ones. */
function createIds(): IdGenerator & Pick<Tracing, 'startAs'> {
  const random = new RandomIdGenerator()
  let known: SpanIds | undefined
  return {
    generateTraceId: () => known?.traceId() ?? random.generateTraceId(),
    generateSpanId: () => known?.spanId() ?? random.generateSpanId(),
    startAs(ids, start) {
      known = ids
      try {
        return start() // which asks for its ids at once
      } finally {
        known = undefined
      }
    },
  }
}

export type Metering = {
  readonly meter: Meter
  /** The page that Prometheus reads, collected now. */
  page(): Promise<string>
  close(): Promise<void>
}

/** Where metrics are sent, besides being shown. */
export type MetricsPush = {
  /** `/v1/metrics` is added. */
  readonly otlpEndpoint: string
  /** Called at the first of a row of failed exports. */
  readonly onExportFailed: (error: Error | undefined) => void
}

/** Metrics that are kept in memory until somebody asks for the page, and sent once a minute where `push` says so. */
export function setUpMetrics(identity: Identity, push?: MetricsPush): Metering {
  const reader = new PageReader()
  const readers = push ? [reader, pushReader(push)] : [reader]
  const provider = new MeterProvider({ resource: resourceOf(identity), readers })
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
      aggregationTemporalitySelector: temporalityOf,
    })
  }

  protected override async onForceFlush(): Promise<void> {}

  protected override async onShutdown(): Promise<void> {}
}

function temporalityOf(instrument: InstrumentType): AggregationTemporality {
  return instrument === InstrumentType.OBSERVABLE_GAUGE
    ? AggregationTemporality.DELTA
    : AggregationTemporality.CUMULATIVE
}

function pushReader({ otlpEndpoint, onExportFailed }: MetricsPush): MetricReader {
  const inner = new OTLPMetricExporter({
    url: `${otlpEndpoint}/v1/metrics`,
    timeoutMillis: EXPORT_TIMEOUT_MS,
  })
  const exporter: PushMetricExporter = {
    ...tellFailures(inner, onExportFailed),
    selectAggregationTemporality: temporalityOf,
  }
  return new PeriodicExportingMetricReader({
    exporter,
    exportIntervalMillis: METRICS_EVERY_MS,
    exportTimeoutMillis: EXPORT_TIMEOUT_MS,
    cardinalityLimits: { default: SERIES_PER_METRIC },
  })
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

type Exporter<Batch> = {
  export(batch: Batch, done: (result: ExportResult) => void): void
  forceFlush?(): Promise<void>
  shutdown(): Promise<void>
}

/** The exporter, with the first failure after a success told: the SDK would keep it to itself. */
function tellFailures<Batch>(
  exporter: Exporter<Batch>,
  onExportFailed: TracingOptions['onExportFailed'],
): Required<Exporter<Batch>> {
  let isFailing = false
  return {
    export: (batch, done) =>
      exporter.export(batch, (result) => {
        const failed = result.code !== ExportResultCode.SUCCESS
        if (failed && !isFailing) onExportFailed(result.error)
        isFailing = failed
        done(result)
      }),
    shutdown: () => exporter.shutdown(),
    forceFlush: () => exporter.forceFlush?.() ?? Promise.resolve(),
  }
}
