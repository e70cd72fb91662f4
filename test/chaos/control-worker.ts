/** A worker of plain BullMQ with the chaos run's tools: what Turnkeeper is compared with. */

import { setTimeout as sleep } from 'node:timers/promises'
import { Worker } from 'bullmq'
import { connectRedis } from '../../src/redis/connection.ts'
import { CONTROL_QUEUE } from './control-subject.ts'
import { writeEffect } from './effect-log.ts'
import type { PlannedCall, PlannedTurn } from './plan.ts'

/** What a model call takes in the other run. */
const MODEL_MS = 15

const { CHAOS_EFFECTS = '', CHAOS_REDIS = '', CHAOS_LOCK_MS = '3000' } = process.env
const connection = await connectRedis(CHAOS_REDIS, { role: 'blocking' })
const worker = new Worker<PlannedTurn>(
  CONTROL_QUEUE,
  async (job) => {
    for (const calls of job.data.steps) {
      await sleep(MODEL_MS)
      await Promise.all(calls.map((call) => runCall(job.id ?? '', call)))
    }
    await sleep(MODEL_MS)
    return { text: 'done' }
  },
  {
    connection,
    concurrency: 10,
    lockDuration: Number(CHAOS_LOCK_MS),
    stalledInterval: Number(CHAOS_LOCK_MS),
    skipVersionCheck: true,
  },
)
worker.on('error', () => {})
process.on('SIGTERM', () => void worker.close().then(() => process.exit(0)))

async function runCall(turnId: string, { id, tool, ms }: PlannedCall): Promise<void> {
  writeEffect(CHAOS_EFFECTS, {
    call: id,
    tool,
    key: `${turnId}:${id}`,
    turnId,
    toolCallId: id,
    epoch: 0,
    pid: process.pid,
    at: Date.now(),
  })
  await sleep(ms)
}
