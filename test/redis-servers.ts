import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openRedis, type RedisServer } from '../src/redis/embedded.ts'
import { isOnPath } from './programs.ts'

/** Whether a real server can be started here. */
export const hasRedisServer = isOnPath('redis-server')

/** Kinds of server on which a contract must hold; the real one only where it is installed. */
export const serverKinds = (hasRedisServer ? ['redis-server', 'fallback'] : ['fallback']) as (
  | 'redis-server'
  | 'fallback'
)[]

/** A Redis of its own in a folder of its own, removed with it. */
export async function startRedis(kind: 'redis-server' | 'fallback'): Promise<RedisServer> {
  const folder = mkdtempSync(join(tmpdir(), 'tk-test-'))
  const server = await openRedis({
    dataDir: join(folder, 'redis'),
    durability: 'none',
    env: kind === 'fallback' ? { PATH: '' } : process.env,
  })
  return {
    ...server,
    async close() {
      await server.close()
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

/** The best server there is. */
export const startAnyRedis = (): Promise<RedisServer> =>
  startRedis(hasRedisServer ? 'redis-server' : 'fallback')
