/** Metrics as others read them: a page for Prometheus, and over OTLP where somebody is to be sent them. */

import { OTLPMetricExporter } from '@opentelemetry/exporter-metrics-otlp-http'
import { PeriodicExportingMetricReader, type ResourceMetrics } from '@opentelemetry/sdk-metrics'
import {
  EXPORT_TIMEOUT_MS,
  type Identity,
  type OtlpReceiver,
  resourceOf,
  SCOPE,
  tellFailures,
} from '../otlp.ts'
import type { Instruments } from './instruments.ts'
import { createPageWriter } from './page.ts'

/** As the specification has it: https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/. */
const METRICS_EVERY_MS = 60_000

export type MetricsExport = {
  /** The page that Prometheus reads, collected now. */
  page(): string
  close(): Promise<void>
}

/** Shows `instruments` on a page, and sends them once a minute where there is a receiver. */
export function exportMetrics(
  identity: Identity,
  { collect }: Pick<Instruments, 'collect'>,
  receiver?: OtlpReceiver,
): MetricsExport {
  const resource = resourceOf(identity)
  const scope = { name: SCOPE, version: identity.version }
  const all = (): ResourceMetrics => ({ resource, scopeMetrics: [{ scope, metrics: collect() }] })
  const write = createPageWriter()
  const reader = receiver && pushReader(receiver)
  reader?.setMetricProducer({ collect: async () => ({ resourceMetrics: all(), errors: [] }) })
  return {
    page: () => write(all()),
    close: async () => reader?.shutdown(),
  }
}

function pushReader({ otlpEndpoint, onExportFailed }: OtlpReceiver): PeriodicExportingMetricReader {
  const exporter = new OTLPMetricExporter({
    url: `${otlpEndpoint}/v1/metrics`,
    timeoutMillis: EXPORT_TIMEOUT_MS,
  })
  return new PeriodicExportingMetricReader({
    exporter: tellFailures(exporter, onExportFailed),
    exportIntervalMillis: METRICS_EVERY_MS,
    exportTimeoutMillis: EXPORT_TIMEOUT_MS,
  })
}
