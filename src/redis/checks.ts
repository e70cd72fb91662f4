import { TurnkeeperError } from '../errors.ts'
import type { RedisConnection } from './connection.ts'

export type Durability = 'aof' | 'none'

const OLDEST = [6, 2] as const

/**
 * Refuses a Redis on which an accepted turn could be lost: too old, evicting, or (with `durability: aof`) without
 * an append-only file. Reads INFO alone, which managed servers allow.
 * @throws TurnkeeperError `config/redis_unsupported`, with the line that mends it.
 */
export async function checkRedis(redis: RedisConnection, durability: Durability): Promise<void> {
  const info = parseInfo(await redis.info())
  const problems = [
    versionProblem(info),
    evictionProblem(info),
    durability === 'aof' ? aofProblem(info) : undefined,
  ]
  const found = problems.filter((problem) => problem !== undefined)
  if (found.length > 0) throw new TurnkeeperError('redis_unsupported', found.join('\n'))
}

function parseInfo(text: string): ReadonlyMap<string, string> {
  const info = new Map<string, string>()
  for (const line of text.split('\r\n')) {
    const colon = line.indexOf(':')
    if (colon > 0) info.set(line.slice(0, colon), line.slice(colon + 1))
  }
  return info
}

function versionProblem(info: ReadonlyMap<string, string>): string | undefined {
  const version = info.get('redis_version') ?? 'unknown'
  const [major = 0, minor = 0] = version.split('.').map(Number)
  if (major > OLDEST[0] || (major === OLDEST[0] && minor >= OLDEST[1])) return undefined
  return `Redis ${version} is too old: 6.2 or later is needed.`
}

function evictionProblem(info: ReadonlyMap<string, string>): string | undefined {
  const policy = info.get('maxmemory_policy')
  if (policy === undefined || policy === 'noeviction') return undefined
  return `Redis may evict turns (maxmemory-policy ${policy}). Mend it with: redis-cli CONFIG SET maxmemory-policy noeviction`
}

function aofProblem(info: ReadonlyMap<string, string>): string | undefined {
  if (info.get('aof_enabled') !== '0') return undefined
  return (
    'Redis keeps no append-only file, so a restart loses turns. Mend it with: redis-cli CONFIG SET appendonly yes' +
    ' (or accept the loss with redis.durability: none)'
  )
}
