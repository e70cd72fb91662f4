import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { Queue } from 'bullmq'
import { connectRedis, type RedisConnection } from '../../src/redis/connection.ts'
import type { PlannedTurn } from './plan.ts'
import type { Story, Subject } from './story.ts'

export const CONTROL_QUEUE = 'control'

export type ControlOptions = {
  readonly url: string
  /** Past the proxy, for what is looked up after the fact. */
  readonly admin: RedisConnection
  readonly lockMs: number
  readonly stalledCheckMs: number
}

const LOOK_AGAIN_MS = 500

/** Plain BullMQ as its documentation shows it: a turn is a job with three attempts. */
export async function openControl({ url, admin }: ControlOptions): Promise<Subject> {
  const connection = await connectRedis(url, { role: 'blocking' })
  const queue = new Queue<PlannedTurn>(CONTROL_QUEUE, { connection, skipVersionCheck: true })
  queue.on('error', () => {})
  const looking = new Queue<PlannedTurn>(CONTROL_QUEUE, { connection: admin, skipVersionCheck: true })
  looking.on('error', () => {})
  return {
    command: [fileURLToPath(new URL('./control-worker.ts', import.meta.url))],
    run(turn, until) {
      const added = (): Promise<unknown> =>
        queue.add('turn', turn, {
          attempts: 3,
          backoff: { type: 'fixed', delay: 100 },
          ...(turn.idempotencyKey !== undefined && { jobId: turn.idempotencyKey }),
        })
      const accepted = added().then(
        (job) => (job as { id: string }).id,
        () => undefined,
      )
      if (turn.resent) void accepted.then(added).catch(() => {})
      return { accepted, story: accepted.then((id) => follow(id, turn, until)) }
    },
    async close() {
      await looking.close()
      await queue.close()
      connection.disconnect()
    },
  }

  async function follow(id: string | undefined, planned: PlannedTurn, until: number): Promise<Story> {
    const nothing = {
      starts: [],
      committed: new Map<string, number>(),
      restarted: 0,
      wellTold: true,
      reviews: [],
    }
    while (id !== undefined && performance.now() < until) {
      const job = await looking.getJob(id).catch(() => undefined)
      if (job?.finishedOn !== undefined && job.finishedOn !== null) {
        const { processedOn, finishedOn, failedReason } = job
        return {
          ...nothing,
          planned,
          turnId: id,
          state: failedReason ? 'failed' : 'completed',
          ...(failedReason && { error: failedReason }),
          ...(processedOn && { startedAt: processedOn }),
          endedAt: finishedOn,
        }
      }
      await sleep(LOOK_AGAIN_MS)
    }
    const error = id === undefined ? 'not accepted' : await looking.getJobState(id).catch(() => 'unreadable')
    return { ...nothing, planned, turnId: id, state: 'lost', error }
  }
}
