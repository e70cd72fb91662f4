/** The process that enqueues: its CPU is nobody's. */

import { Queue } from 'bullmq'
import { Redis } from 'ioredis'
import { connect } from '../../../src/queue/client/connect.ts'
import { configOf, INPUT, type Order } from './world.ts'

const AT_ONCE = 16

const { redisUrl, kind, count } = JSON.parse(process.argv[2] ?? '{}') as Order // written by world.ts

async function opened(): Promise<() => Promise<unknown>> {
  if (kind === 'turns') {
    const client = await connect({ config: configOf(redisUrl) })
    return () => client.enqueue('bench', { input: INPUT })
  }
  const queue = new Queue('bench', { connection: new Redis(redisUrl, { maxRetriesPerRequest: null }) })
  return () => queue.add('job', { input: INPUT }, { removeOnComplete: true })
}

const add = await opened()
let left = count
const lane = async (): Promise<void> => {
  while (left-- > 0) await add()
}
await Promise.all(Array.from({ length: AT_ONCE }, lane))
process.exit()
