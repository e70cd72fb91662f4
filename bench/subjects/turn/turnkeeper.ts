/** Turns of an agent through queue, journal, events and worker: CPU of the worker's process and of Redis. */

import { z } from 'zod'
import { loadConfig } from '../../../src/config/load.ts'
import { connect } from '../../../src/queue/client/connect.ts'
import { defineAgent } from '../../../src/runtime/agent.ts'
import { defineTool } from '../../../src/runtime/tools/tool.ts'
import { startWorker } from '../../../src/runtime/worker/worker.ts'
import { cpuNowUs } from '../../harness/cpu.ts'
import type { Measure } from '../../harness/group.ts'
import { median } from '../../harness/statistics.ts'
import { startRedis } from '../redis.ts'
import { configOf, enqueueElsewhere, INPUT, untilDone } from './world.ts'

const WARM_UP = 4000
const COUNT = 1000
const LATENCIES = 60
/** Turns of which each script is looked at. */
const COUNTED = 200

/** `model`: `json` ends with its first step, `tools` has three. */
export const measure: Measure = async ({ url, model }) => {
  await using redis = await startRedis()
  const raw = configOf(redis.url, String(url))
  const weather = defineTool({
    ...{ name: 'weather', description: 'Says what the weather is in a city.', effect: 'pure' },
    inputSchema: z.object({ city: z.string(), unit: z.string().optional() }),
    execute: ({ city }) => ({ city, degrees: 21, sky: 'clear' }),
  })
  const agent = defineAgent({
    name: 'bench',
    model: String(model),
    instructions: 'Be brief.',
    tools: [weather],
  })
  let done = 0
  const worker = await startWorker(await loadConfig(raw), {
    agents: [agent],
    concurrency: 50,
    journal: (journal) => ({
      ...journal,
      async finish(...args) {
        const outcome = await journal.finish(...args)
        done++
        return outcome
      },
    }),
  })
  const run = async (count: number): Promise<void> => {
    const goal = done + count
    await enqueueElsewhere({ redisUrl: redis.url, kind: 'turns', count })
    await untilDone(() => done, goal)
  }
  await run(WARM_UP)
  const before = { own: cpuNowUs(), ...(await redis.figures()) }
  await run(COUNT)
  const after = { own: cpuNowUs(), ...(await redis.figures()) }
  const onSession = await redis.scriptsOn('{s-', () => run(COUNTED))
  const startedMs = model === 'json' ? await startLatency(raw) : undefined
  await worker.close()
  return {
    'worker CPU': (after.own - before.own) / COUNT,
    'Redis CPU': (after.cpuUs - before.cpuUs) / COUNT,
    scripts: (after.commands - before.commands) / COUNT,
    'scripts of the journal': onSession / COUNTED,
    ...(startedMs !== undefined && { 'add → start': startedMs }),
  }
}

/** Wall milliseconds from the call of `enqueue` to `turn.started` at the reader, one turn at a time. */
async function startLatency(config: object): Promise<number> {
  const client = await connect({ config })
  const taken: number[] = []
  for (let i = 0; i < LATENCIES; i++) {
    const startedAt = performance.now()
    const turn = await client.enqueue('bench', { input: INPUT })
    for await (const event of turn)
      if (event.type === 'turn.started') taken.push(performance.now() - startedAt)
  }
  await client.close()
  return median(taken)
}
