import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { closeRedis, connectRedis } from '../../src/redis/connection.ts'
import { freePort, hasRedisServer } from '../redis-servers.ts'

test.skipIf(!hasRedisServer)(
  'the master is found by asking a sentinel',
  async () => {
    const folder = mkdtempSync(join(tmpdir(), 'tk-sentinel-'))
    const [port, sentinelPort, deadPort] = [await freePort(), await freePort(), await freePort()]
    const conf = join(folder, 'sentinel.conf')
    writeFileSync(conf, `port ${sentinelPort}\ndir ${folder}\nsentinel monitor main 127.0.0.1 ${port} 1\n`)
    const master = spawn('redis-server', ['--port', String(port), '--save', '', '--dir', folder], {
      stdio: 'ignore',
    })
    const sentinel = spawn('redis-server', [conf, '--sentinel'], { stdio: 'ignore' })
    try {
      // The first one is away: the next is asked.
      const url = `redis+sentinel://127.0.0.1:${deadPort},127.0.0.1:${sentinelPort}/main`
      const redis = await connectRedis(url, { timeoutMs: 10_000 })
      expect(await redis.info('server')).toContain(`tcp_port:${port}`)
      await closeRedis(redis)
    } finally {
      for (const server of [sentinel, master]) {
        server.kill('SIGKILL')
        await once(server, 'exit')
      }
      rmSync(folder, { recursive: true, force: true })
    }
  },
  20_000,
)
