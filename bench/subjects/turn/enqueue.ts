/** The process that enqueues: its CPU is nobody's. */

import { Queue } from 'bullmq'
import { Redis } from 'ioredis'
import { connect } from '../../../src/queue/client/connect.ts'
import { configOf, INPUT, type Order } from './world.ts'

const AT_ONCE = 16
/** More than this is added by the hundred. */
const BATCH_FROM = 1000

const { redisUrl, kind, count } = JSON.parse(process.argv[2] ?? '{}') as Order // written by world.ts

async function enqueueInBatches(): Promise<never> {
  const client = await connect({ config: configOf(redisUrl) })
  const hundred = Array.from({ length: 100 }, () => ({ agent: 'bench', input: INPUT }))
  for (let added = 0; added < count; added += 100) await client.enqueueMany(hundred)
  process.exit()
}

async function opened(): Promise<() => Promise<unknown>> {
  if (kind === 'turns') {
    const client = await connect({ config: configOf(redisUrl) })
    return () => client.enqueue('bench', { input: INPUT })
  }
  const queue = new Queue('bench', { connection: new Redis(redisUrl, { maxRetriesPerRequest: null }) })
  return () => queue.add('job', { input: INPUT }, { removeOnComplete: true })
}

if (kind === 'turns' && count > BATCH_FROM) await enqueueInBatches()
const add = await opened()
let left = count
const lane = async (): Promise<void> => {
  while (left-- > 0) await add()
}
await Promise.all(Array.from({ length: AT_ONCE }, lane))
process.exit()
