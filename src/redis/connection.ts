import type { Cluster, Redis, RedisOptions } from 'ioredis'
import { TurnkeeperError } from '../errors.ts'
import { describeRedisUrl, parseRedisAddress } from './address.ts'
import { gatherWrites } from './gathered-writes.ts'

/** A connection as this house hands it around; commands are methods. */
export type RedisConnection = Redis | Cluster

/**
 * What a connection is for:
 * - `command`: short commands; fails a command after 10 s instead of waiting for ever
 * - `blocking`: BullMQ's own, which waits for as long as Redis is away
 * - `subscriber`: pub/sub
 */
export type ConnectionRole = 'command' | 'blocking' | 'subscriber'

export type ConnectOptions = {
  readonly role?: ConnectionRole
  /** Shown by `CLIENT LIST`. */
  readonly name?: string
  /** How long the first connection may take, in milliseconds; default 5,000. */
  readonly timeoutMs?: number
}

type Settings = Omit<RedisOptions, 'replyMapping'>

const COMMAND_TIMEOUT_MS = 10_000

/**
 * Opens a connection to `url` (`redis://`, `rediss://`, `unix:///path`, `redis+cluster://…`, `redis+sentinel://…`) and
 * waits until it answers. Later losses are mended by reconnecting; only the first attempt fails the call.
 * @throws TurnkeeperError `queue/redis_unavailable` when nobody answers in time, `config/invalid_config`.
 */
export async function connectRedis(url: string, options: ConnectOptions = {}): Promise<RedisConnection> {
  const { role = 'command', name = 'turnkeeper', timeoutMs = 5_000 } = options
  const redis = await openConnection(url, {
    connectionName: name,
    connectTimeout: timeoutMs,
    // The queue's commands wait for Redis to come back; their callers hold deadlines of their own.
    maxRetriesPerRequest: null,
    enableReadyCheck: role !== 'subscriber',
    ...(role === 'command' && { commandTimeout: COMMAND_TIMEOUT_MS }),
  })
  // Without a listener, ioredis prints each failed reconnect; who uses the connection sees the failed command.
  redis.on('error', ignore)
  if (isCluster(redis)) redis.on('+node', gatherWrites)
  else gatherWrites(redis)
  try {
    await firstAnswer(redis, timeoutMs)
    return redis
  } catch (cause) {
    redis.disconnect()
    throw new TurnkeeperError('redis_unavailable', unavailableMessage(url, cause), { cause })
  }
}

/** Closes a connection: politely if it is up, at once if it is not. */
export async function closeRedis(redis: RedisConnection): Promise<void> {
  const mayBeBusy = isCluster(redis) || redis.options.commandTimeout === undefined
  if (redis.status === 'ready' && !mayBeBusy) await redis.quit().catch(ignore)
  redis.disconnect()
}

/** Connections to the servers that may be written to: the connection itself, or the masters of a cluster. */
export function serversOf(redis: RedisConnection): readonly Redis[] {
  return isCluster(redis) ? redis.nodes('master') : [redis]
}

function isCluster(redis: RedisConnection): redis is Cluster {
  return redis.isCluster
}

/** Loads ioredis with the first connection, so that importing the library stays light. */
async function openConnection(url: string, settings: Settings): Promise<RedisConnection> {
  const address = parseRedisAddress(url)
  const { Cluster, Redis } = await import('ioredis')
  if (address.kind === 'cluster') {
    return new Cluster([...address.servers], {
      lazyConnect: true,
      clusterRetryStrategy: pauseMs,
      enableReadyCheck: true,
      redisOptions: { ...settings, ...address.access },
      slotsRefreshTimeout: settings.connectTimeout ?? 5_000,
    })
  }
  const one = { ...settings, lazyConnect: true, retryStrategy: pauseMs }
  switch (address.kind) {
    case 'socket':
      return new Redis({ ...one, path: address.path })
    case 'single':
      return new Redis({ ...one, ...address.server, ...address.access })
    case 'sentinel': {
      const { tls, ...access } = address.access
      return new Redis({
        ...one,
        sentinels: [...address.servers],
        name: address.master,
        sentinelRetryStrategy: pauseMs,
        ...access,
        ...(tls && { tls, sentinelTLS: tls, enableTLSForSentinelMode: true }),
      })
    }
  }
}

/** The pause before a reconnect. */
function pauseMs(attempt: number): number {
  return Math.min(50 * 2 ** attempt, 2_000)
}

async function firstAnswer(redis: RedisConnection, timeoutMs: number): Promise<void> {
  let timer: NodeJS.Timeout | undefined
  const refused = new Promise<never>((_resolve, reject) => {
    // A sentinel that is away is not the end: the next one is asked.
    if (!('sentinels' in redis.options) || !redis.options.sentinels) redis.once('error', reject)
    timer = setTimeout(() => reject(new Error(`no answer within ${timeoutMs} ms`)), timeoutMs)
  })
  try {
    await Promise.race([redis.connect(), refused])
  } finally {
    clearTimeout(timer)
  }
}

function unavailableMessage(url: string, cause: unknown): string {
  const why = cause instanceof Error ? cause.message : String(cause)
  return `Redis at ${describeRedisUrl(url)} cannot be reached (${why}). Start it, or set REDIS_URL to one that runs.`
}

function ignore(): void {}
