import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { closeRedis, connectRedis } from '../src/redis/connection.ts'
import { openRedis, type RedisServer } from '../src/redis/embedded.ts'
import { isOnPath } from './programs.ts'

/** Whether a real server can be started here. */
export const hasRedisServer = isOnPath('redis-server')

/** Kinds of server on which a contract must hold; the real one only where it is installed. */
export const serverKinds = (hasRedisServer ? ['redis-server', 'fallback'] : ['fallback']) as (
  | 'redis-server'
  | 'fallback'
)[]

/** The same and, where the programs are installed, a cluster: for what must hold across slots. */
export const clusterKinds = [
  ...serverKinds,
  ...(hasRedisServer && isOnPath('redis-cli') ? (['cluster'] as const) : []),
]

/** A Redis of its own in a folder of its own, removed with it. */
export async function startRedis(kind: 'redis-server' | 'fallback' | 'cluster'): Promise<RedisServer> {
  if (kind === 'cluster') return startCluster()
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

/** A cluster of three masters on free ports; closing it removes it. */
async function startCluster(): Promise<RedisServer> {
  const folder = mkdtempSync(join(tmpdir(), 'tk-cluster-'))
  const ports = await freePorts(3)
  const nodes = ports.map((port) => {
    const dir = join(folder, String(port))
    mkdirSync(dir)
    const settings = { port, 'cluster-enabled': 'yes', 'cluster-node-timeout': 2_000, save: '', dir }
    const args = Object.entries(settings).flatMap(([name, value]) => [`--${name}`, String(value)])
    return spawn('redis-server', args, { stdio: 'ignore' })
  })
  const close = async (): Promise<void> => {
    for (const node of nodes) {
      if (node.exitCode === null && node.kill('SIGKILL')) await once(node, 'exit')
    }
    rmSync(folder, { recursive: true, force: true })
  }
  const servers = ports.map((port) => `127.0.0.1:${port}`)
  try {
    for (const server of servers) await untilAnswers(`redis://${server}`)
    execFileSync('redis-cli', ['--cluster', 'create', ...servers, '--cluster-yes'], { stdio: 'ignore' })
    const url = `redis+cluster://${servers.join(',')}`
    await untilAnswers(url)
    return { url, origin: 'url', owned: true, close, [Symbol.asyncDispose]: close }
  } catch (error) {
    await close()
    throw error
  }
}

async function untilAnswers(url: string): Promise<void> {
  const deadline = performance.now() + 10_000
  for (;;) {
    try {
      const redis = await connectRedis(url, { timeoutMs: 1_000 })
      await redis.get('is-it-up')
      return await closeRedis(redis)
    } catch (error) {
      if (performance.now() > deadline && !String(error).includes('CLUSTERDOWN')) throw error
      if (String(error).includes('CLUSTERDOWN') && url.startsWith('redis://')) return
      await new Promise((resolve) => setTimeout(resolve, 100))
    }
  }
}

/** A port that nobody listens on. */
export async function freePort(): Promise<number> {
  const [port] = await freePorts(1)
  return port as number // asked for one
}

/** Free ports whose bus port (10,000 above) exists, too. */
async function freePorts(howMany: number): Promise<number[]> {
  const found = new Set<number>()
  while (found.size < howMany) {
    const server = createServer().listen(0, '127.0.0.1')
    await once(server, 'listening')
    const address = server.address()
    if (typeof address === 'object' && address && address.port < 55_000) found.add(address.port)
    server.close()
    await once(server, 'close')
  }
  return [...found]
}
