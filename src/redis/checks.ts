import { TurnkeeperError } from '../errors.ts'
import { type RedisConnection, serversOf } from './connection.ts'
import { canWaitForDisk, type DurabilityOptions } from './durability.ts'
import { parseInfo } from './info.ts'

const OLDEST = [6, 2] as const

/**
 * Refuses a Redis on which an accepted turn could be lost: too old, evicting, without an append-only file (unless
 * `durability: none`), or (with `always`) unable to confirm what is on disk. Looks at every master of a cluster; reads
 * INFO, which managed servers allow, and CONFIG only where INFO does not tell.
 * @throws TurnkeeperError `config/redis_unsupported`, with the line that mends it.
 */
export async function checkRedis(redis: RedisConnection, options: DurabilityOptions): Promise<void> {
  const problems = await Promise.all(serversOf(redis).map((server) => problemsOf(server, options)))
  const found = [...new Set([...problems.flat(), clusterProblem(redis, options)])].filter(
    (problem) => problem !== undefined,
  )
  if (found.length > 0) throw new TurnkeeperError('redis_unsupported', found.join('\n'))
}

type Server = ReturnType<typeof serversOf>[number]

async function problemsOf(
  server: Server,
  { durability }: DurabilityOptions,
): Promise<readonly (string | undefined)[]> {
  const info = parseInfo(await server.info())
  return [
    versionProblem(info),
    evictionProblem(info),
    durability === 'none' ? undefined : aofProblem(info),
    durability === 'always' ? await fsyncProblem(server, info) : undefined,
  ]
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

/** Before WAITAOF, only a server that writes to disk before each answer confirms anything by answering. */
async function fsyncProblem(server: Server, info: ReadonlyMap<string, string>): Promise<string | undefined> {
  const inCluster = info.get('cluster_enabled') === '1'
  if (canWaitForDisk(info.get('redis_version') ?? '') && !inCluster) return undefined
  const policy = await server.config('GET', 'appendfsync').then(
    (reply) => (reply as string[])[1],
    () => undefined, // managed servers refuse CONFIG
  )
  if (policy === 'always') return undefined
  return (
    `redis.durability: always cannot be kept (appendfsync ${policy ?? 'unknown'}). Mend it with: redis-cli CONFIG SET` +
    ` appendfsync always${inCluster ? '' : ' (or use Redis 7.2 or later)'}`
  )
}

function clusterProblem(redis: RedisConnection, { replicas = 0 }: DurabilityOptions): string | undefined {
  if (!redis.isCluster || replicas === 0) return undefined
  return 'redis.replicas: a cluster cannot be asked to wait for replicas; set it to 0'
}
