import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { closeRedis, connectRedis, type RedisConnection } from '../../src/redis/connection.ts'

/** A redis-server of our own with an append-only file, that can die and come back with what it had. */
export type RedisProcess = {
  readonly socket: string
  /** A connection that no fault touches but the server's own. */
  admin(): Promise<RedisConnection>
  /** kill -9, and a new server on the same files; resolves when it answers. */
  restart(): Promise<void>
  /** At once, for a run that was broken off. */
  kill(): void
  close(): Promise<void>
}

export async function startRedisProcess(folder: string): Promise<RedisProcess> {
  const dir = join(folder, 'redis')
  const socket = join(folder, 'redis.sock')
  mkdirSync(dir, { recursive: true })
  const start = () => {
    const child = spawn(
      'redis-server',
      [
        ...['--port', '0', '--unixsocket', socket, '--dir', dir],
        // With everysec a busy disk lets Redis answer before it has written (up to 2 s): a loss of its own, not ours.
        ...['--appendonly', 'yes', '--appendfsync', 'always', '--save', ''],
        ...['--maxmemory-policy', 'noeviction', '--enable-debug-command', 'local'],
      ],
      { stdio: 'ignore' },
    )
    return { child, gone: once(child, 'exit') }
  }
  const admin = (): Promise<RedisConnection> => connectRedis(`unix://${socket}`)
  const answers = async (): Promise<void> => {
    for (let left = 200; ; left--) {
      const redis = await connectRedis(`unix://${socket}`, { timeoutMs: 1_000 }).catch(() => undefined)
      if (redis) return closeRedis(redis)
      if (left === 0) throw new Error('redis-server does not answer')
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
  }
  let server = start()
  const end = async (): Promise<void> => {
    server.child.kill('SIGKILL')
    await server.gone
  }
  await answers()
  return {
    socket,
    admin,
    async restart() {
      await end()
      server = start()
      await answers()
    },
    kill: () => void server.child.kill('SIGKILL'),
    close: end,
  }
}
