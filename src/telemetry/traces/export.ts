/** Traces over OTLP/HTTP, in batches. */

import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http'
import { BatchSpanProcessor, type SpanExporter } from '@opentelemetry/sdk-trace'
import {
  EXPORT_TIMEOUT_MS,
  type Identity,
  type OtlpReceiver,
  resourceOf,
  SCOPE,
  tellFailures,
} from '../otlp.ts'
import type { SpanSink } from './span.ts'

export type TraceExport = SpanSink & {
  /** Sends what is left, then stops. */
  close(): Promise<void>
}

/** Sends spans to `/v1/traces` of the receiver. */
export function exportTraces(
  identity: Identity,
  { otlpEndpoint, onExportFailed }: OtlpReceiver,
): TraceExport {
  const exporter = new OTLPTraceExporter({
    url: `${otlpEndpoint}/v1/traces`,
    timeoutMillis: EXPORT_TIMEOUT_MS,
  })
  return exportSpansTo(tellFailures(exporter, onExportFailed), identity)
}

/** Sends spans to an exporter, in batches. */
export function exportSpansTo(exporter: SpanExporter, identity: Identity): TraceExport {
  const processor = new BatchSpanProcessor({ exporter })
  return {
    resource: resourceOf(identity),
    instrumentationScope: { name: SCOPE, version: identity.version },
    ended: (span) => processor.onEnd(span),
    close: () => processor.shutdown(),
  }
}
