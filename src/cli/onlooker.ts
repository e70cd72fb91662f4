import type { Config } from '../config/config.ts'
import type { ProviderRuntime } from '../providers/runtime.ts'

/** A runtime for one-shot commands on the Redis that runs; it takes no part in the fleet's own probes. */
export async function openOnlooker(config: Config, opened: AsyncDisposableStack): Promise<ProviderRuntime> {
  const { openRedis } = await import('../redis/embedded.ts')
  const { closeRedis, connectRedis } = await import('../redis/connection.ts')
  const { openProviderRuntime } = await import('../providers/runtime.ts')
  const { url, dataDir } = config.redis
  // What it writes is found anew when it is lost: a Redis that keeps no file is no danger.
  const server = opened.use(await openRedis({ url, dataDir, durability: 'none', mayStart: false }))
  const command = opened.adopt(await connectRedis(server.url), closeRedis)
  const subscriber = opened.adopt(await connectRedis(server.url, { role: 'subscriber' }), closeRedis)
  return opened.use(
    await openProviderRuntime(config, { redis: { command, subscriber }, tickMs: ONLOOKER_TICK_MS }),
  )
}

/** So seldom that it never comes to probe an open route. */
const ONLOOKER_TICK_MS = 3_600_000
