/** Telemetry that runs: log always, metrics where an address is given, traces where there is a receiver. */

import { randomUUID } from 'node:crypto'
import type { TelemetryConfig } from '../config/config.ts'
import type { Instruments } from './metrics/instruments.ts'
import type { Health, MetricsAddress } from './metrics/serve.ts'
import { noTelemetry } from './none.ts'
import type { Identity } from './otlp.ts'
import type { RedactedField, Redactor } from './redaction.ts'
import type { Log, Telemetry } from './telemetry.ts'

export type TelemetryOptions = {
  readonly config: TelemetryConfig
  /** Where `/metrics` is served; without it no metrics are kept. */
  readonly metrics?: MetricsAddress
  /** What this process is; `service.name` is `turnkeeper-<service>`. */
  readonly service: string
  readonly version: string
  /** Default: a fresh UUID. */
  readonly instanceId?: string
  /** Default: standard error. */
  readonly logStream?: NodeJS.WritableStream
  /** Served as `/health` beside the metrics; called at each request, so it must be quick. */
  readonly health?: Health
  /** Values that no log line and no span may show, in any encoding (`secretValues(config)`). */
  readonly secrets?: readonly string[]
  /** Instead of one that knows `secrets`: for tests. */
  readonly redactor?: Redactor
  /** Throw where a metric's labels differ from the catalogue. Default: only under `NODE_ENV=test`. */
  readonly strictLabels?: boolean
}

export type RunningTelemetry = Telemetry & {
  /** Id of this process in logs and traces. */
  readonly instance: string
  /** The URL of the page for Prometheus, if it is served. */
  readonly metricsUrl?: string
  /** That page, collected now. */
  readonly metricsPage?: () => string
  /** Values that no log line and no span may show from now on, besides those known already. */
  learnSecrets(values: readonly string[]): void
  /** Sends the spans that are left, waiting a few seconds at most, and stops serving. May be called twice. */
  close(): Promise<void>
  [Symbol.asyncDispose](): Promise<void>
}

/**
 * Starts telemetry for one process. The SDK is loaded only for what is asked for. Throws `config/port_in_use`
 * when the metrics port is taken and explicit.
 */
export async function createTelemetry({
  config,
  metrics,
  service,
  version,
  instanceId = randomUUID(),
  logStream = process.stderr,
  health,
  secrets = [],
  redactor: givenRedactor,
  strictLabels = process.env.NODE_ENV === 'test',
}: TelemetryOptions): Promise<RunningTelemetry> {
  const identity: Identity = { service: `turnkeeper-${service}`, version, instanceId }
  const [{ createRedactor }, { createLog }] = await Promise.all([
    import('./redaction.ts'),
    import('./log.ts'),
  ])
  const known = new Set(secrets)
  // the log comes before the metrics, so what is masked until then is not counted
  let onRedacted = (_field: RedactedField): void => {}
  const redactorOf = (values: readonly string[]): Redactor =>
    createRedactor(values, { onRedacted: (field) => onRedacted(field) })
  let latest = givenRedactor ?? redactorOf(secrets)
  const redactor: Redactor = {
    text: (text, edges) => latest.text(text, edges),
    fields: (value) => latest.fields(value),
    isSecretName: (name) => latest.isSecretName(name),
  }
  const log = await createLog({
    level: config.logLevel,
    stream: logStream,
    base: { service: identity.service, instance: instanceId },
    redactor,
  })

  const push = config.otlpMetrics ? config.otlpEndpoint : undefined
  const metering =
    metrics && (await startMetrics(identity, { address: metrics, push, health, strictLabels, log }))
  if (metering) onRedacted = (field) => metering.instruments.count('telemetry_redactions_total', { field })
  const tracing = await startTracing(identity, {
    config,
    log,
    redactor: { ...redactor, knownSecrets: () => known.size },
  })
  const close = once(async () => {
    await Promise.allSettled([metering?.close(), tracing?.close()])
  })
  return {
    ...noTelemetry,
    ...metering?.instruments,
    ...tracing?.observing,
    ...(metering && { metricsUrl: metering.url, metricsPage: metering.page }),
    instance: instanceId,
    log,
    learnSecrets(values) {
      if (values.every((value) => known.has(value))) return
      for (const value of values) known.add(value)
      latest = redactorOf([...known])
    },
    close,
    [Symbol.asyncDispose]: close,
  }
}

type RunningMetrics = {
  readonly instruments: Instruments
  readonly url: string
  readonly page: () => string
  close(): Promise<void>
}

type MetricsOptions = {
  readonly address: MetricsAddress
  /** Base URL of the OTLP receiver that is sent them too. */
  readonly push: string | undefined
  readonly health: Health | undefined
  readonly strictLabels: boolean
  readonly log: Log
}

async function startMetrics(
  identity: Identity,
  { address, push, health, strictLabels, log }: MetricsOptions,
): Promise<RunningMetrics> {
  const [{ exportMetrics }, { createInstruments }, { serveMetrics }, { registerVitals }] = await Promise.all([
    import('./metrics/export.ts'),
    import('./metrics/instruments.ts'),
    import('./metrics/serve.ts'),
    import('./metrics/process-vitals.ts'),
  ])
  const onExportFailed = (error: Error | undefined): void =>
    log.warn({ error }, 'metrics cannot be sent: the page still has them')
  const instruments = createInstruments({ strictLabels })
  instruments.gauge('runtime_build_info', () => [[{ version: identity.version }, 1]])
  const endVitals = registerVitals(instruments)
  const exported = exportMetrics(
    identity,
    instruments,
    push ? { otlpEndpoint: push, onExportFailed } : undefined,
  )
  const server = await serveMetrics(address, { page: exported.page, ...(health && { health }) })
  if (address.port !== 0 && server.port !== address.port) {
    log.warn({ wanted: address.port, port: server.port }, 'metrics port taken: the next free one is used')
  }
  log.info({ url: server.url }, 'metrics served')
  const close = async (): Promise<void> => {
    endVitals()
    await Promise.allSettled([server.close(), exported.close()])
  }
  return { instruments, url: server.url, page: exported.page, close }
}

type RunningTraces = {
  readonly observing: Pick<Telemetry, 'observe' | 'carrier'>
  close(): Promise<void>
}

type TracesOptions = {
  readonly config: TelemetryConfig
  readonly log: Log
  readonly redactor: Redactor & { readonly knownSecrets: () => number }
}

async function startTracing(
  identity: Identity,
  { config, log, redactor }: TracesOptions,
): Promise<RunningTraces | undefined> {
  const { otlpEndpoint, sampling, captureContent } = config
  if (otlpEndpoint === undefined) return undefined
  const [{ exportTraces }, { createObserve }] = await Promise.all([
    import('./traces/export.ts'),
    import('./traces/observe.ts'),
  ])
  const onExportFailed = (error: Error | undefined): void =>
    log.warn({ error }, 'traces cannot be sent: spans are dropped until the receiver answers')
  const sink = exportTraces(identity, { otlpEndpoint, onExportFailed })
  return { observing: createObserve({ sink, redactor, sampling, captureContent }), close: sink.close }
}

function once(work: () => Promise<void>): () => Promise<void> {
  let running: Promise<void> | undefined
  return () => {
    running ??= work()
    return running
  }
}
