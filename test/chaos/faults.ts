import { setTimeout as sleep } from 'node:timers/promises'
import { seededRandom } from '../../src/providers/sim/random.ts'
import { FAULT_KINDS, type FaultKind, type PlannedFault } from './plan.ts'
import type { FaultyProxy } from './proxy.ts'
import type { RedisProcess } from './redis-process.ts'
import type { WorkerPool } from './worker-pool.ts'

export type FaultTargets = {
  readonly pool: WorkerPool
  readonly proxy: FaultyProxy
  readonly redis: RedisProcess
  readonly lockMs: number
}

export type FaultCounts = Record<FaultKind, number>

/** Does what is planned, when it is planned; one Redis fault at a time. Resolves with how often each kind fired. */
export async function runFaults(
  faults: readonly PlannedFault[],
  targets: FaultTargets,
  counts: FaultCounts,
): Promise<void> {
  const started = performance.now()
  for (const fault of faults) {
    await sleep(Math.max(0, fault.atMs - (performance.now() - started)))
    if (await fireInTime(fault, targets)) counts[fault.kind]++
    if (process.env.CHAOS_TRACE) console.error(`${Date.now()} ${fault.kind}`)
  }
}

export function noFaults(): FaultCounts {
  return Object.fromEntries(FAULT_KINDS.map((kind) => [kind, 0])) as FaultCounts
}

/** A fault may find nothing to hit for a moment: all workers stopped, nobody connected. */
async function fireInTime(fault: PlannedFault, targets: FaultTargets): Promise<boolean> {
  for (let left = 20; left > 0; left--) {
    if (await fire(fault, targets)) return true
    await sleep(50)
  }
  return false
}

async function fire(
  { kind, roll }: PlannedFault,
  { pool, proxy, redis, lockMs }: FaultTargets,
): Promise<boolean> {
  switch (kind) {
    case 'kill9':
      return pool.kill9(roll)
    case 'sigterm':
      return pool.sigterm(roll)
    case 'sigstop':
      return pool.sigstop(roll, lockMs * (1.2 + roll))
    case 'connKill':
      return proxy.kill(0.2 + 0.8 * roll, seededRandom(roll * 2 ** 32)) > 0
    case 'droppedReply':
      return proxy.dropReplies(0.2 + 0.5 * roll, seededRandom(roll * 2 ** 32)) > 0
    case 'redisRestart':
      await redis.restart()
      return true
    case 'debugSleep': {
      const admin = await redis.admin().catch(() => undefined)
      if (!admin) return false
      await admin.call('DEBUG', 'SLEEP', String((lockMs * (0.2 + roll)) / 1000)).catch(() => {})
      admin.disconnect()
      return true
    }
  }
}
