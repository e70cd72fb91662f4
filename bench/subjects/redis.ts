/** A Redis of its own for one measurement, and what it says of itself. */

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { closeRedis, connectRedis } from '../../src/redis/connection.ts'
import { openRedis } from '../../src/redis/embedded.ts'
import { parseInfo } from '../../src/redis/info.ts'

export type RedisFigures = {
  /** CPU so far, user and system, in microseconds. */
  readonly cpuUs: number
  /** Commands from clients; those inside scripts are not among them. */
  readonly commands: number
  readonly usedBytes: number
}

export type BenchRedis = AsyncDisposable & {
  readonly url: string
  figures(): Promise<RedisFigures>
  /** How many scripts run meanwhile whose first key holds `part`. Slows Redis down: not while CPU is measured. */
  scriptsOn(part: string, work: () => Promise<void>): Promise<number>
}

type SlowCommand = readonly [id: number, at: number, us: number, words: readonly string[]]

/** A redis-server that writes nothing to disk. */
export async function startRedis(): Promise<BenchRedis> {
  const folder = mkdtempSync(join(tmpdir(), 'tk-bench-'))
  const server = await openRedis({ dataDir: join(folder, 'redis'), durability: 'none' })
  const asking = await connectRedis(server.url)
  return {
    url: server.url,
    async figures() {
      const [all, commands] = await Promise.all([asking.info(), asking.info('commandstats')])
      const info = parseInfo(all)
      const number = (name: string): number => Number(info.get(name))
      const scripts = [...parseInfo(commands)].filter(([name]) => /evalsha?$|fcall$/.test(name))
      const calls = scripts.reduce((sum, [, text]) => sum + Number(/calls=(\d+)/.exec(text)?.[1] ?? 0), 0)
      return {
        cpuUs: (number('used_cpu_user') + number('used_cpu_sys')) * 1e6,
        commands: calls,
        usedBytes: number('used_memory'),
      }
    },
    async scriptsOn(part, work) {
      await Promise.all([
        asking.call('CONFIG', 'SET', 'slowlog-max-len', '100000', 'slowlog-log-slower-than', '0'),
        asking.call('SLOWLOG', 'RESET'),
      ])
      await work()
      const log = (await asking.call('SLOWLOG', 'GET', '100000')) as SlowCommand[]
      return log.filter(([, , , [command, , , key]]) => command === 'evalsha' && key?.includes(part)).length
    },
    async [Symbol.asyncDispose]() {
      await closeRedis(asking)
      await server.close()
      rmSync(folder, { recursive: true, force: true })
    },
  }
}
