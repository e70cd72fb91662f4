/**
 * Enqueues a turn and reads its answer as it comes. Runs without any key or service: a worker of its own, and the
 * simulated upstream in the place of a provider.
 *
 *   npx node examples/01-enqueue-a-turn.ts
 */

import { connect, createWorker } from 'turnkeeper'
import { createSim } from 'turnkeeper/testing'
import agents from './agents.ts'

await using upstream = await createSim()

const config = {
  redis: { durability: 'none', dataDir: '.turnkeeper/example-01' },
  telemetry: { logLevel: 'warn' },
  providers: { sim: { protocol: 'openai-chat', baseUrl: `${upstream.url}/v1` } },
  models: { coder: { routes: ['sim/any-model'] } },
}

await using _worker = await createWorker({ config, agents })
await using client = await connect({ config })

const turn = await client.enqueue('assistant', { input: 'Which files are there in src/queue?' })
for await (const event of turn) {
  if (event.type === 'text.delta') process.stdout.write(event.delta)
  if (event.type === 'tool.call') console.log(`[${event.name} ${JSON.stringify(event.input)}]`)
}

const { status, steps, usage } = await turn.result()
console.log(`\n${status} after ${steps.length} steps and ${usage.totalTokens} tokens`)
