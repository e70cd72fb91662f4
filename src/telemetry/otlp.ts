/** What traces and metrics have in common where they leave the process: who sends, how long at most, who is told. */

import { type ExportResult, ExportResultCode } from '@opentelemetry/core'
import { type Resource, resourceFromAttributes } from '@opentelemetry/resources'

export const SCOPE = 'turnkeeper'
/** How long an export, and so a shutdown, may wait for a receiver that does not answer. */
export const EXPORT_TIMEOUT_MS = 5000

export type Identity = { readonly service: string; readonly version: string; readonly instanceId: string }

export type OtlpReceiver = {
  /** Base URL: `/v1/traces` or `/v1/metrics` is added. */
  readonly otlpEndpoint: string
  /** Called at the first of a row of failed exports. */
  readonly onExportFailed: (error: Error | undefined) => void
}

export function resourceOf({ service, version, instanceId }: Identity): Resource {
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
export function tellFailures<Batch>(
  exporter: Exporter<Batch>,
  onExportFailed: OtlpReceiver['onExportFailed'],
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
