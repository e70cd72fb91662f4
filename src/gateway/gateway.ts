/**
 * The HTTP face: its own connections, its own telemetry, one server.
 *
 *   starting → listening → closing (readers of events are let go, then the server, then Redis) → closed
 */

import type { Config } from '../config/config.ts'
import { secretValues } from '../config/describe.ts'
import { packageVersion } from '../config/version.ts'
import { openReloadableRuntime } from '../providers/reloadable.ts'
import { createAskForMitigation } from '../providers/routing/mitigation/alert.ts'
import { streamOfConfig } from '../providers/snapshot/snapshot-stream.ts'
import { openBackend, type QueueBackend } from '../queue/backend.ts'
import { clientOn } from '../queue/client/client.ts'
import type { RedisOrigin } from '../redis/embedded.ts'
import { createTelemetry, type RunningTelemetry } from '../telemetry/create.ts'
import { readRedisHealth } from './health.ts'
import { createLimits } from './limits.ts'
import { closeServer, createServer, listen } from './server.ts'

export type GatewayOptions = {
  /** How often a silent event stream gets a comment, in milliseconds; default 15,000. */
  readonly heartbeatMs?: number
  /** Where `reload` gets the configuration from; default: the one that it has. */
  readonly load?: () => Promise<Config>
  /** Where log lines go; default standard error. */
  readonly logStream?: NodeJS.WritableStream
}

export type Gateway = {
  /** With the port that it got. */
  readonly url: string
  readonly redis: RedisOrigin
  readonly metricsUrl: string | undefined
  /** Loads the configuration anew and takes up what can change; as `reload` of a worker. */
  reload(): Promise<boolean>
  /** Ends open event streams (their readers may resume elsewhere) and resolves when all is closed. */
  close(): Promise<void>
  [Symbol.asyncDispose](): Promise<void>
}

/**
 * Starts the HTTP face of a configuration.
 * @throws TurnkeeperError `config/port_in_use`, others of category `config`, or `queue/redis_unavailable`.
 */
export async function startGateway(config: Config, options: GatewayOptions = {}): Promise<Gateway> {
  const { heartbeatMs = 15_000, logStream, load = async () => config } = options
  await using opening = new AsyncDisposableStack()
  const telemetry = opening.use(await openTelemetry(config, logStream))
  const backend = await openBackend(config, { warn: (message) => telemetry.log.warn({}, message) })
  opening.defer(() => backend.close())
  const redis = { url: backend.server.url, command: backend.redis }
  const models = opening.use(await openReloadableRuntime(config, { ...redis, telemetry }))
  opening.use(streamOfConfig(config.telemetry, telemetry))
  const closing = new AbortController()
  const server = createServer({
    server: config.server,
    client: clientOn(backend, { queue: config.queue.name, telemetry }),
    models,
    readRedis: () => readRedisHealth(backend.redis),
    mitigation: {
      alertToken: config.server.alertToken,
      ask: createAskForMitigation(config, backend.redis),
    },
    limits: createLimits(backend),
    log: telemetry.log,
    heartbeatMs,
    closing: closing.signal,
  })
  opening.defer(() => closeServer(server))
  const url = await listen(server, config.server)
  opening.defer(() => closing.abort())
  telemetry.log.info({ url }, 'gateway listens')
  return running(opening.move(), { url, telemetry, backend, reload: () => models.reload(load) })
}

function openTelemetry(config: Config, logStream?: NodeJS.WritableStream): Promise<RunningTelemetry> {
  return createTelemetry({
    config: config.telemetry,
    metrics: config.metrics,
    service: 'gateway',
    version: packageVersion(),
    secrets: secretValues(config),
    ...(logStream && { logStream }),
  })
}

type Opened = {
  readonly url: string
  readonly telemetry: RunningTelemetry
  readonly backend: QueueBackend
  readonly reload: Gateway['reload']
}

function running(parts: AsyncDisposableStack, { url, telemetry, backend, reload }: Opened): Gateway {
  let closed: Promise<void> | undefined
  const close = (): Promise<void> => {
    closed ??= parts.disposeAsync()
    return closed
  }
  return {
    url,
    redis: backend.server.origin,
    metricsUrl: telemetry.metricsUrl,
    reload,
    close,
    [Symbol.asyncDispose]: close,
  }
}
