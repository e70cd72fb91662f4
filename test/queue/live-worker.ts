import { setTimeout as sleep } from 'node:timers/promises'
import { startWakeWorker } from '../../src/queue/bullmq.ts'
import { closeRedis, connectRedis } from '../../src/redis/connection.ts'
import { globalKeys } from '../../src/redis/keys.ts'
import { defineAgent } from '../../src/runtime/agent.ts'
import { openScriptedWorker, type ScriptedWorker, scriptedModel } from '../runtime/scripted-worker.ts'

export type LiveWorker = ScriptedWorker & {
  /** Turns that have begun, in their order, by their input. */
  readonly begun: readonly string[]
  /** How many wake-ups were handled. */
  wakeUps(): number
  /** The most that ran at once, of those whose input begins like this. */
  most(inputsLike: string): number
}

export type LiveWorkerOptions = {
  readonly prefix: string
  readonly concurrency?: number
  /** How long a turn takes. */
  readonly turnMs?: number
  /** Of the configuration. */
  readonly queue?: object
}

/** A worker on real BullMQ, for the agent `a`, whose model answers after a while. */
export async function startLiveWorker(
  redisUrl: string,
  { prefix, concurrency = 2, turnMs = 50, queue = {} }: LiveWorkerOptions,
): Promise<LiveWorker> {
  const begun: string[] = []
  const running: string[] = []
  const peaks: string[][] = []
  let wakeUps = 0
  const agent = defineAgent({ name: 'a', model: 'coder', tools: [] })
  const worker = await openScriptedWorker(
    redisUrl,
    [agent],
    async (request, ...rest) => {
      const input = JSON.stringify(request.messages.at(-1)).match(/in-[a-z]+-\d+/)?.[0] ?? ''
      begun.push(input)
      running.push(input)
      peaks.push([...running])
      await sleep(turnMs)
      running.splice(running.indexOf(input), 1)
      return scriptedModel({ text: 'done' }).call(request, ...rest)
    },
    { prefix, queue },
  )
  const connection = await connectRedis(redisUrl, { role: 'blocking' })
  const wakeWorker = await startWakeWorker({
    connection,
    name: 'turns',
    prefix: globalKeys(prefix).bull,
    concurrency,
    lockMs: 10_000,
    stalledCheckMs: 5_000,
    handle({ turnId, id }) {
      wakeUps++
      return worker.wake(turnId, id)
    },
    onError: () => {},
    onStalled: () => {},
  })
  return {
    ...worker,
    begun,
    wakeUps: () => wakeUps,
    most: (like) =>
      Math.max(0, ...peaks.map((peak) => peak.filter((input) => input.startsWith(like)).length)),
    async close() {
      await wakeWorker.close()
      await closeRedis(connection)
      await worker.close()
    },
  }
}
