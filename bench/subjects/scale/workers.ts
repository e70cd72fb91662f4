/** Turns on several workers, few or many of them waiting: CPU a turn of all workers together; and what an idle one asks. */

import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { connect } from 'node:net'
import { fileURLToPath } from 'node:url'
import { Redis } from 'ioredis'
import { globalKeys } from '../../../src/redis/keys.ts'
import type { Measure } from '../../harness/group.ts'
import { cpuOfProcessUs } from '../../harness/process-cpu.ts'
import { startRedis } from '../redis.ts'
import { enqueueElsewhere } from '../turn/world.ts'

const WORKER = fileURLToPath(new URL('worker.ts', import.meta.url))
/** A worker's turns until the compiler has come to rest. */
const WARM_UP = 4000
const COUNT = 1000
/** A pass of the reconciler over turns that have just ended is not what an idle worker does. */
const SETTLE_MS = 4000
const IDLE_MS = 10_000

/** `workers`: how many. `waiting`: turns that wait when they begin; 0 for a queue that is fed as it is emptied. */
export const measure: Measure = async ({ url, workers, waiting = 0 }) => {
  await using redis = await startRedis()
  const asking = new Redis(redis.url)
  const { open } = globalKeys('turnkeeper')
  const untilLeft = async (most: number): Promise<number> => {
    for (;;) {
      const left = await asking.zcard(open)
      if (left <= most) return left
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
  }
  const depth = Number(waiting)
  if (depth > 0) await enqueueElsewhere({ redisUrl: redis.url, kind: 'turns', count: depth + WARM_UP })
  const children = await Promise.all(
    Array.from({ length: Number(workers) }, () => startChild(redis.url, String(url))),
  )
  const cpu = (): number => children.reduce((sum, child) => sum + cpuOfProcessUs(child), 0)
  if (depth === 0)
    await enqueueElsewhere({ redisUrl: redis.url, kind: 'turns', count: WARM_UP * children.length })
  const before = await untilLeft(depth)
  const startUs = cpu()
  if (depth === 0) await enqueueElsewhere({ redisUrl: redis.url, kind: 'turns', count: COUNT })
  const after = await untilLeft(depth === 0 ? 0 : before - COUNT)
  const turns = depth === 0 ? COUNT : before - after
  const cpuUs = (cpu() - startUs) / turns
  const idle = depth === 0 && children.length === 1 ? await commandsASecond(redis.url) : undefined
  for (const child of children) child.kill('SIGKILL')
  asking.disconnect()
  return { 'CPU a turn': cpuUs, ...(idle !== undefined && { 'idle commands a second': idle }) }
}

async function startChild(redisUrl: string, url: string): Promise<ChildProcess> {
  const args = ['--disable-warning=ExperimentalWarning', WORKER, redisUrl, url]
  const child = spawn(process.execPath, args, { stdio: ['pipe', 'pipe', 'inherit'] })
  await once(child.stdout!, 'data') // piped above
  return child
}

/** Commands of clients, without those inside scripts. By hand, since ioredis 6 loses its place while it monitors. */
async function commandsASecond(redisUrl: string): Promise<number> {
  await new Promise((resolve) => setTimeout(resolve, SETTLE_MS))
  const socket = connect(redisUrl.replace(/^unix:(\/\/)?/, ''))
  let text = ''
  socket.on('data', (chunk: Buffer) => {
    text += chunk.toString('latin1')
  })
  socket.write('MONITOR\r\n')
  await new Promise((resolve) => setTimeout(resolve, IDLE_MS))
  socket.destroy()
  const commands = text
    .split('\n')
    .filter((line) => /^\+\d+\.\d+ \[/.test(line) && !/^\S+ \[\d+ lua\]/.test(line))
  return (commands.length / IDLE_MS) * 1000
}
