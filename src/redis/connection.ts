import { Redis, type RedisOptions } from 'ioredis'
import { TurnkeeperError } from '../errors.ts'

/** A connection as this house hands it around; commands are methods. */
export type RedisConnection = Redis

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

const COMMAND_TIMEOUT_MS = 10_000

/**
 * Opens a connection to `url` (`redis://`, `rediss://` or `unix:///path`) and waits until it answers.
 * Later losses are mended by reconnecting; only the first attempt fails the call.
 * @throws TurnkeeperError `queue/redis_unavailable` when nobody answers in time.
 */
export async function connectRedis(url: string, options: ConnectOptions = {}): Promise<RedisConnection> {
  const { role = 'command', name = 'turnkeeper', timeoutMs = 5_000 } = options
  const settings: Omit<RedisOptions, 'replyMapping'> = {
    ...parseRedisUrl(url),
    connectionName: name,
    lazyConnect: true,
    connectTimeout: timeoutMs,
    // The queue's commands wait for Redis to come back; their callers hold deadlines of their own.
    maxRetriesPerRequest: null,
    retryStrategy: (attempt) => Math.min(50 * 2 ** attempt, 2_000),
    enableReadyCheck: role !== 'subscriber',
    ...(role === 'command' && { commandTimeout: COMMAND_TIMEOUT_MS }),
  }
  const redis = new Redis(settings)
  // Without a listener, ioredis prints each failed reconnect; who uses the connection sees the failed command.
  redis.on('error', ignore)
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
  const mayBeBusy = redis.options.commandTimeout === undefined
  if (redis.status === 'ready' && !mayBeBusy) await redis.quit().catch(ignore)
  redis.disconnect()
}

/** The address without its password, for messages and logs. */
export function describeRedisUrl(url: string): string {
  if (url.startsWith('unix:')) return url
  try {
    const { protocol, host, pathname } = new URL(url)
    return `${protocol}//${host}${pathname}`
  } catch {
    return 'an address that is not a URL'
  }
}

function parseRedisUrl(url: string): Omit<RedisOptions, 'replyMapping'> {
  if (url.startsWith('unix:')) return { path: url.replace(/^unix:(\/\/)?/, '') }
  let parsed: URL
  try {
    parsed = new URL(url)
  } catch {
    throw new TurnkeeperError(
      'invalid_config',
      'redis.url: expected redis://host:port, rediss:// or unix:///path',
    )
  }
  if (parsed.protocol !== 'redis:' && parsed.protocol !== 'rediss:') {
    throw new TurnkeeperError(
      'invalid_config',
      `redis.url: expected redis://, rediss:// or unix://, got ${parsed.protocol}//`,
    )
  }
  return {
    host: parsed.hostname || '127.0.0.1',
    port: parsed.port === '' ? 6379 : Number(parsed.port),
    ...(parsed.username !== '' && { username: decodeURIComponent(parsed.username) }),
    ...(parsed.password !== '' && { password: decodeURIComponent(parsed.password) }),
    ...(parsed.pathname.length > 1 && { db: Number(parsed.pathname.slice(1)) }),
    ...(parsed.protocol === 'rediss:' && { tls: {} }),
  }
}

async function firstAnswer(redis: RedisConnection, timeoutMs: number): Promise<void> {
  let timer: NodeJS.Timeout | undefined
  const refused = new Promise<never>((_resolve, reject) => {
    redis.once('error', reject)
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
