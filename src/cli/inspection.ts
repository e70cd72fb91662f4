import type { Config } from '../config/config.ts'
import { TurnkeeperError } from '../errors.ts'
import type { Inspection } from '../providers/models/inspection.ts'
import type { RedisConnection } from '../redis/connection.ts'
import type { Terminal } from './terminal.ts'

/** A look at the providers for a one-shot command: with the Redis that runs, or without any, which it says. */
export async function openInspection(config: Config, terminal: Terminal): Promise<Inspection> {
  const { inspectProviders } = await import('../providers/models/inspection.ts')
  await using opened = new AsyncDisposableStack()
  const redis = await joinRedis(config, opened)
  if (redis === undefined) {
    terminal.note(terminal.dim('no Redis is running here: states and cached lists are not known'))
  }
  const inspection = opened.use(await inspectProviders(config, redis && { redis }))
  const owned = opened.move()
  return { ...inspection, [Symbol.asyncDispose]: () => owned.disposeAsync() }
}

async function joinRedis(
  { redis: { url, dataDir } }: Config,
  opened: AsyncDisposableStack,
): Promise<RedisConnection | undefined> {
  const { openRedis } = await import('../redis/embedded.ts')
  const { closeRedis, connectRedis } = await import('../redis/connection.ts')
  try {
    // It only reads: a Redis that keeps no file is no danger then.
    const server = opened.use(await openRedis({ url, dataDir, durability: 'none', mayStart: false }))
    return opened.adopt(await connectRedis(server.url), closeRedis)
  } catch (error) {
    const isAway = error instanceof TurnkeeperError && error.reason === 'redis_unavailable'
    if (isAway && url === undefined) return undefined
    throw error
  }
}
