import { existsSync } from 'node:fs'
import { resolve } from 'node:path'
import type { Config } from '../../config/config.ts'
import { DEFAULTS } from '../../config/defaults.ts'
import type { TurnClient } from './client.ts'

export type ConnectOptions = {
  /** Instead of the configuration's. */
  readonly redisUrl?: string
  /** Of all keys, instead of the configuration's. */
  readonly prefix?: string
  /** Path of a YAML file or the configuration itself; default `turnkeeper.config.yaml` if there is one. */
  readonly config?: string | object
}

/**
 * Connects application code to the queue. Without an address the embedded Redis of this folder is joined or started.
 * What a client needs is loaded here and not with the library.
 * @throws TurnkeeperError of category `config`, or `queue/redis_unavailable`.
 */
export async function connect(options: ConnectOptions = {}): Promise<TurnClient> {
  const [{ loadConfig }, { secretValues }, { packageVersion }, { createTelemetry }, { openClient }] =
    await Promise.all([
      import('../../config/load.ts'),
      import('../../config/describe.ts'),
      import('../../config/version.ts'),
      import('../../telemetry/create.ts'),
      import('./client.ts'),
    ])
  const config = withOverrides(await loadConfig(options.config ?? fileOrNothing()), options)
  const telemetry = await createTelemetry({
    config: config.telemetry,
    service: 'client',
    version: packageVersion(),
    secrets: secretValues(config),
  })
  const client = await openClient(config, { telemetry, warn: (message) => telemetry.log.warn({}, message) })
  const close = async (): Promise<void> => {
    await client.close()
    await telemetry.close()
  }
  return { ...client, close, [Symbol.asyncDispose]: close }
}

function fileOrNothing(): string | object {
  return existsSync(resolve(DEFAULTS.fileName)) ? DEFAULTS.fileName : {}
}

function withOverrides(config: Config, { redisUrl, prefix }: ConnectOptions): Config {
  return {
    ...config,
    redis: {
      ...config.redis,
      ...(redisUrl !== undefined && { url: redisUrl }),
      ...(prefix !== undefined && { prefix }),
    },
  }
}
