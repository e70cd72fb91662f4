/** Which configuration a command uses. */

import { existsSync } from 'node:fs'
import type { Config, LogLevel } from '../config/config.ts'
import { DEFAULTS } from '../config/defaults.ts'
import type { TurnClient } from '../queue/client/client.ts'
import type { GlobalOptions } from './command.ts'
import type { Terminal } from './terminal.ts'

/** The configuration of something that starts: the file that is named, or the one of this folder; there must be one. */
export async function requireConfig({ config, logLevel }: GlobalOptions): Promise<Config> {
  const { loadConfig } = await import('../config/load.ts')
  return withLevel(await loadConfig(config), logLevel)
}

/** The configuration of a one-shot command: as above, but defaults (and REDIS_URL) do where there is no file. */
export async function findConfig({ config, logLevel }: GlobalOptions): Promise<Config> {
  const { loadConfig } = await import('../config/load.ts')
  return withLevel(await loadConfig(config ?? (existsSync(DEFAULTS.fileName) ? undefined : {})), logLevel)
}

/** The level of the command line, where it names one, instead of the file's. */
function withLevel(config: Config, logLevel: LogLevel | undefined): Config {
  return logLevel === undefined ? config : { ...config, telemetry: { ...config.telemetry, logLevel } }
}

/** A client for a one-shot command: it joins a Redis, and never starts one. */
export async function connectClient(
  config: Pick<Config, 'redis' | 'queue'>,
  terminal: Terminal,
): Promise<TurnClient> {
  const { openClient } = await import('../queue/client/client.ts')
  return openClient(config, { mayStart: false, warn: (message) => terminal.note(message) })
}

/** The same for a command that only reads: a Redis that keeps no file is no danger then. */
export async function connectReader(config: Config, terminal: Terminal): Promise<TurnClient> {
  return connectClient({ ...config, redis: { ...config.redis, durability: 'none' } }, terminal)
}
