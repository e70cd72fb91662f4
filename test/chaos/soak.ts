/**
 * `node test/chaos/soak.ts [--minutes N] [--rate TURNS_A_SECOND]`: a worker and a client in this process under a steady
 * load; at the end heap, open resources, Redis clients and keys must be back where they were. Exit 0 if they are, else 1.
 */

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { createSim } from '../../src/providers/sim/sim.ts'
import type { TurnClient } from '../../src/queue/client/client.ts'
import { connect } from '../../src/queue/client/connect.ts'
import type { RedisConnection } from '../../src/redis/connection.ts'
import { defineAgent } from '../../src/runtime/agent.ts'
import { createWorker } from '../../src/runtime/worker/create-worker.ts'
import { startRedisProcess } from './redis-process.ts'

/** Ended turns are forgotten this soon, so that keys can come back within the run. */
const TTL_MS = 5_000
const SESSIONS = 400
/** One reader in so many goes away after its first event. */
const LEAVES_EARLY = 20
const HEAP_SLACK_BYTES = 8 * 1024 * 1024
const KEYS_SLACK = 5

type Level = {
  readonly heapBytes: number
  readonly resources: number
  readonly clients: number
  readonly keys: number
}

const { values } = parseArgs({
  options: { minutes: { type: 'string', default: '10' }, rate: { type: 'string', default: '20' } },
})
const rate = Number(values.rate)
const turns = Math.round(Number(values.minutes) * 60 * rate)

const folder = mkdtempSync(join(tmpdir(), 'tk-soak-'))
const redis = await startRedisProcess(folder)
const admin = await redis.admin()
const sim = await createSim()
const config = {
  redis: { url: `unix://${redis.socket}` },
  metrics: { port: 0 },
  providers: { sim: { protocol: 'openai-chat', baseUrl: `${sim.url}/v1` } },
  models: { coder: { routes: ['sim/good'] } },
  probes: { enabled: false },
  queue: { resultTtl: `${TTL_MS}ms`, eventTtl: `${TTL_MS}ms` },
  telemetry: { logLevel: 'warn' },
}
const worker = await createWorker({ config, agents: [defineAgent({ name: 'talker', model: 'coder' })] })
const client = await connect({ config })

await load(client, { turns: SESSIONS, from: 0 })
// The simulated upstream keeps the last 10,000 requests: it is filled first, so that it does not look like a leak.
for (let i = 0; i < 10_000; i += 50) await Promise.all(Array.from({ length: 50 }, () => askSim(sim.url)))
const before = await level(admin)
console.error(`after ${SESSIONS} turns: ${JSON.stringify(before)}`)
const ended = await load(client, { turns, from: SESSIONS })
const after = await level(admin)

const isBack =
  after.heapBytes <= before.heapBytes + HEAP_SLACK_BYTES &&
  after.resources <= before.resources &&
  after.clients <= before.clients &&
  after.keys <= before.keys + KEYS_SLACK
console.log(JSON.stringify({ turns, rate, completed: ended, before, after, isBack }))
await client.close()
await worker.close()
await sim.close()
admin.disconnect()
await redis.close()
rmSync(folder, { recursive: true, force: true })
process.exit(isBack && ended === turns ? 0 : 1)

/** Enqueues at the rate and reads each turn; resolves with how many completed. */
async function load(client: TurnClient, { turns, from }: { turns: number; from: number }): Promise<number> {
  const started = performance.now()
  let completed = 0
  const open = new Set<Promise<void>>()
  for (let i = 0; i < turns; i++) {
    await sleep(Math.max(0, (i / rate) * 1000 - (performance.now() - started)))
    const one = follow(client, from + i).then((status) => {
      if (status === 'completed') completed++
      open.delete(one)
    })
    open.add(one)
    if (i > 0 && i % (rate * 15) === 0) {
      console.error(`${i} turns, ${completed} completed, heap ${process.memoryUsage().heapUsed >> 20} MiB`)
    }
  }
  await Promise.all(open)
  return completed
}

async function follow(client: TurnClient, i: number): Promise<string> {
  const turn = await client.enqueue('talker', {
    sessionId: `soak-${i % SESSIONS}`,
    input: `say "Turn ${i} is done."`,
  })
  for await (const _event of turn) if (i % LEAVES_EARLY === 0) break
  return (await turn.result()).status
}

async function askSim(url: string): Promise<void> {
  const body = JSON.stringify({ model: 'good', messages: [{ role: 'user', content: 'say "x"' }] })
  const answer = await fetch(`${url}/v1/chat/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body,
  })
  await answer.text()
}

/** What is in use once everything that was to end has ended. */
async function level(admin: RedisConnection): Promise<Level> {
  await sleep(TTL_MS + 10_000)
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as () => void
  collect()
  await sleep(100)
  collect()
  return {
    heapBytes: process.memoryUsage().heapUsed,
    resources: process.getActiveResourcesInfo().length,
    clients: String(await admin.client('LIST'))
      .trim()
      .split('\n').length,
    keys: await admin.dbsize(),
  }
}
