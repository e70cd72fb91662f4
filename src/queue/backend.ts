import type { Config } from '../config/config.ts'
import { closeRedis, connectRedis, type RedisConnection } from '../redis/connection.ts'
import { createConfirm } from '../redis/durability.ts'
import { openRedis, type RedisServer } from '../redis/embedded.ts'
import { globalKeys } from '../redis/keys.ts'
import { type Audit, createAudit } from './audit.ts'
import { type Backlog, createBacklog } from './backlog.ts'
import { openWakeQueue, type WakeQueue } from './bullmq.ts'
import { type Control, createControl } from './control.ts'
import { createSubscriptions, type Subscriptions } from './events/subscriptions.ts'
import { createFleet, type Fleet } from './fleet.ts'
import { createJournal, type Journal } from './journal.ts'
import { createSpend, type Spend } from './spend.ts'

/** Everything of the queue that is on one Redis: what clients, workers and the gateway share. */
export type QueueBackend = {
  readonly server: RedisServer
  readonly redis: RedisConnection
  readonly prefix: string
  readonly journal: Journal
  readonly backlog: Backlog
  readonly control: Control
  readonly audit: Audit
  readonly fleet: Fleet
  readonly spend: Spend
  readonly wakeQueue: WakeQueue
  readonly subscriptions: Subscriptions
  close(): Promise<void>
}

export type OpenBackendOptions = {
  /** false for one-shot commands: they join an embedded Redis but start none. */
  readonly mayStart?: boolean
  readonly warn?: (message: string) => void
}

/**
 * Connects to the Redis of the configuration, or to the embedded one.
 * @throws TurnkeeperError `queue/redis_unavailable` or `config/redis_unsupported`.
 */
export async function openBackend(
  { redis: where, queue }: Pick<Config, 'redis' | 'queue'>,
  { mayStart = true, warn = () => {} }: OpenBackendOptions = {},
): Promise<QueueBackend> {
  const { prefix, durability, replicas, dataDir } = where
  const server = await openRedis({ url: where.url, dataDir, durability, replicas, mayStart, warn })
  const redis = await connectRedis(server.url)
  const subscriptions = createSubscriptions(await connectRedis(server.url, { role: 'subscriber' }))
  const { resultTtlMs, eventTtlMs, tenants, maxQueueAgeMs } = queue
  const backlog = createBacklog({ redis, prefix, tenants, maxQueueAgeMs })
  const wakeQueue = await openWakeQueue({
    connection: redis,
    name: queue.name,
    prefix: globalKeys(prefix).bull,
    async rankOf(turnId, delayMs) {
      const roused = await backlog.rouse(turnId, delayMs)
      return roused.outcome === 'go' ? roused.rank : undefined
    },
  })
  const confirm = await createConfirm(redis, { durability, replicas })
  const journal = createJournal({ redis, prefix, resultTtlMs, eventTtlMs, backlog, confirm })
  return {
    server,
    redis,
    prefix,
    journal,
    backlog,
    control: createControl({ redis, prefix, journal, backlog, resultTtlMs, eventTtlMs }),
    audit: createAudit(redis, prefix),
    fleet: createFleet(redis, prefix),
    spend: createSpend(redis, prefix),
    wakeQueue,
    subscriptions,
    async close() {
      await wakeQueue.close()
      await subscriptions.close()
      await closeRedis(redis)
      await server.close()
    },
  }
}
