/** A plain BullMQ job of the same size; with `calls`, one call of the mock by undici in it. */

import { Queue, Worker } from 'bullmq'
import { Redis } from 'ioredis'
import { Agent, request } from 'undici'
import { cpuNowUs } from '../../harness/cpu.ts'
import type { Measure } from '../../harness/group.ts'
import { median } from '../../harness/statistics.ts'
import { CHAT_MESSAGES, CHAT_TOOLS } from '../provider/request.ts'
import { startRedis } from '../redis.ts'
import { enqueueElsewhere, INPUT, untilDone } from './world.ts'

const WARM_UP = 4000
const COUNT = 1000
const LATENCIES = 60

export const measure: Measure = async ({ url, calls }) => {
  await using redis = await startRedis()
  const connection = new Redis(redis.url, { maxRetriesPerRequest: null })
  const dispatcher = new Agent({ connections: 256 })
  const body = JSON.stringify({ model: 'json', messages: CHAT_MESSAGES, tools: CHAT_TOOLS, max_tokens: 4096 })
  let done = 0
  let onStart = (): void => {}
  const worker = new Worker(
    'bench',
    async () => {
      onStart()
      if (calls === true) {
        const headers = { 'content-type': 'application/json' }
        const answer = await request(`${url}/v1/chat/completions`, {
          method: 'POST',
          headers,
          body,
          dispatcher,
        })
        await answer.body.json()
      }
      done++
    },
    { connection, concurrency: 50 },
  )
  await worker.waitUntilReady()
  const run = async (count: number): Promise<void> => {
    const goal = done + count
    await enqueueElsewhere({ redisUrl: redis.url, kind: 'jobs', count })
    await untilDone(() => done, goal)
  }
  await run(WARM_UP)
  const before = { own: cpuNowUs(), ...(await redis.figures()) }
  await run(COUNT)
  const after = { own: cpuNowUs(), ...(await redis.figures()) }
  const queue = new Queue('bench', { connection })
  const taken: number[] = []
  for (let i = 0; i < LATENCIES; i++) {
    const startedAt = performance.now()
    const started = new Promise<void>((resolve) => {
      onStart = resolve
    })
    await queue.add('job', { input: INPUT }, { removeOnComplete: true })
    await started
    taken.push(performance.now() - startedAt)
  }
  return {
    'worker CPU': (after.own - before.own) / COUNT,
    'Redis CPU': (after.cpuUs - before.cpuUs) / COUNT,
    scripts: (after.commands - before.commands) / COUNT,
    'add → start': median(taken),
  }
}
