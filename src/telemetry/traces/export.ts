/** Traces over OTLP/HTTP, in batches. */

import { context } from '@opentelemetry/api'
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks'
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
  shareContext()
  const processor = new BatchSpanProcessor({ exporter })
  return {
    resource: resourceOf(identity),
    instrumentationScope: { name: SCOPE, version: identity.version },
    ended: (span) => processor.onEnd(span),
    close: () => processor.shutdown(),
  }
}

/**
 * The one global: spans that a tool makes with its own OpenTelemetry must nest in ours, and the API's context is
 * how they find them. The first manager of the process stays, whosever it is; a second call changes nothing.
 */
function shareContext(): void {
  const manager = new AsyncLocalStorageContextManager().enable()
  if (!context.setGlobalContextManager(manager)) manager.disable()
}
