/** Turns of 1 KB that wait: memory of Redis for each. */

import type { Measure } from '../../harness/group.ts'
import { startRedis } from '../redis.ts'
import { enqueueElsewhere } from '../turn/world.ts'

const COUNT = 4000

/** `kind`: `turns` or `jobs`. */
export const measure: Measure = async ({ kind }) => {
  await using redis = await startRedis()
  const order = { redisUrl: redis.url, kind: kind === 'jobs' ? 'jobs' : 'turns' } as const
  await enqueueElsewhere({ ...order, count: 100 })
  const before = await redis.figures()
  await enqueueElsewhere({ ...order, count: COUNT })
  const after = await redis.figures()
  return { 'KB of Redis a waiting turn': (after.usedBytes - before.usedBytes) / COUNT / 1024 }
}
