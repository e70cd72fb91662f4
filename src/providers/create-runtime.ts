import { noTelemetry } from '../telemetry/none.ts'
import type { Telemetry } from '../telemetry/telemetry.ts'
import type { ProviderRuntime } from './runtime.ts'

export type ProviderRuntimeOptions = {
  /** A path of a YAML file, or an object that is already parsed. */
  readonly config: string | object
  /** Default: none. */
  readonly telemetry?: Telemetry
}

/**
 * A runtime for a program of its own: loads the configuration, finds or starts Redis, and closes both with itself. Its
 * code is loaded here and not with the library.
 * Throws `config/invalid_config` or `queue/redis_unavailable`, saying what to do.
 */
export async function createProviderRuntime(options: ProviderRuntimeOptions): Promise<ProviderRuntime> {
  const { telemetry = noTelemetry } = options
  const [{ loadConfig }, { openRedis }, { closeRedis, connectRedis }, { openProviderRuntime }] =
    await Promise.all([
      import('../config/load.ts'),
      import('../redis/embedded.ts'),
      import('../redis/connection.ts'),
      import('./runtime.ts'),
    ])
  const config = await loadConfig(options.config)
  await using opened = new AsyncDisposableStack()
  const { url, dataDir, durability, replicas } = config.redis
  const warn = (message: string): void => telemetry.log.warn({}, message)
  const server = opened.use(await openRedis({ url, dataDir, durability, replicas, warn }))
  const command = opened.adopt(await connectRedis(server.url, { name: 'turnkeeper-routing' }), closeRedis)
  const subscriber = opened.adopt(await connectRedis(server.url, { role: 'subscriber' }), closeRedis)
  const runtime = opened.use(await openProviderRuntime(config, { redis: { command, subscriber }, telemetry }))
  const owned = opened.move()
  const close = (): Promise<void> => owned.disposeAsync()
  return { ...runtime, close, [Symbol.asyncDispose]: close }
}
