/**
 * `node test/chaos/recovery.ts [rounds]`: how long a turn stands still after kill -9 of its worker, with the queue's
 * default settings. Fleets of two workers side by side, each killed at a moment of chance in its cycle of heartbeats.
 */

import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { stringify } from 'yaml'
import { loadConfig } from '../../src/config/load.ts'
import { createSim } from '../../src/providers/sim/sim.ts'
import { openClient } from '../../src/queue/client/client.ts'
import { startRedisProcess } from './redis-process.ts'

const CLI = fileURLToPath(new URL('../../bin/turnkeeper.cjs', import.meta.url))
/** Longer than any recovery: the turn is in its tool when the worker dies. */
const TOOL_MS = 45_000
const SETTLED_MS = 12_000

const rounds = Number(process.argv[2] ?? 10)
const folder = mkdtempSync(join(tmpdir(), 'tk-recovery-'))
const redis = await startRedisProcess(folder)
const sim = await createSim()
const samples = await Promise.all(Array.from({ length: rounds }, (_, i) => recovery(`r${i}`)))
samples.sort((a, b) => a - b)
const at = (share: number): number => samples[Math.min(rounds - 1, Math.floor(share * rounds))] ?? Number.NaN
console.log(JSON.stringify({ rounds, p50: at(0.5), p90: at(0.9), max: at(1), samples }))
await sim.close()
await redis.close()
rmSync(folder, { recursive: true, force: true })

async function recovery(prefix: string): Promise<number> {
  const configFile = join(folder, `${prefix}.yaml`)
  const config = {
    redis: { url: `unix://${redis.socket}`, prefix },
    metrics: { port: 0 },
    providers: { sim: { protocol: 'openai-chat', baseUrl: `${sim.url}/v1` } },
    models: { coder: { routes: ['sim/good'] } },
    probes: { enabled: false },
    telemetry: { logLevel: 'warn' },
    agents: fileURLToPath(new URL('./agents.ts', import.meta.url)),
  }
  writeFileSync(configFile, stringify(config))
  const workers = [startWorker(configFile), startWorker(configFile)]
  await using client = await openClient(await loadConfig(configFile))
  const input = `call put with ${JSON.stringify({ id: prefix, ms: TOOL_MS })}`
  const turn = await client.enqueue('chaos', { input })
  let killedAt = Number.POSITIVE_INFINITY
  try {
    for await (const event of turn) {
      if (event.type !== 'turn.started') continue
      if (event.at > killedAt) return event.at - killedAt
      const victim = workers.find(({ pid }) => event.worker.includes(`-${pid}-`))
      void sleep(SETTLED_MS + Math.random() * 10_000).then(() => {
        victim?.kill('SIGKILL')
        killedAt = Date.now()
      })
    }
    throw new Error('the turn ended before its worker was killed')
  } finally {
    for (const worker of workers) worker.kill('SIGKILL')
    await Promise.all(workers.map((worker) => worker.exitCode ?? worker.signalCode ?? once(worker, 'exit')))
  }
}

function startWorker(configFile: string): ChildProcess {
  return spawn(process.execPath, [CLI, 'worker', '--config', configFile], {
    env: { ...process.env, CHAOS_EFFECTS: join(folder, 'effects.jsonl') },
    stdio: 'ignore',
  })
}
