/**
 * `npm run chaos -- --turns N --seed S [--control] [--json]`: real workers on a real Redis under a seeded schedule of
 * faults, judged by what the tools themselves wrote down. Exit 0 clean, 1 a violation, 2 void or wrong usage.
 */

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { stringify } from 'yaml'
import { createSim } from '../../src/providers/sim/sim.ts'
import { isOnPath } from '../programs.ts'
import { openControl } from './control-subject.ts'
import { readEffects } from './effect-log.ts'
import { noFaults, runFaults } from './faults.ts'
import { type Progress, runLoad } from './load.ts'
import { type Plan, planRun } from './plan.ts'
import { startProxy } from './proxy.ts'
import { startRedisProcess } from './redis-process.ts'
import type { Story } from './story.ts'
import { openTurnkeeper } from './turnkeeper-subject.ts'
import {
  exitCode,
  judge,
  orderViolations,
  recoveries,
  stepsRerun,
  unsafeTwice,
  type Verdict,
} from './verdict.ts'
import { startWorkerPool } from './worker-pool.ts'

const WORKERS = 4
const LOCK_MS = 3_000
const STALLED_CHECK_MS = 1_000
const CONCURRENCY = 10
/** After the last planned thing, all must have ended within this time. */
const DRAIN_MS = 90_000
const SLOW_RECOVERY_MS = 3 * LOCK_MS

type Options = {
  readonly turns: number
  readonly seed: number
  readonly control: boolean
  readonly keep: boolean
}

const { values } = parseArgs({
  options: {
    turns: { type: 'string', default: '200' },
    seed: { type: 'string', default: '1' },
    control: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
    keep: { type: 'boolean', default: false },
  },
})
const turns = Number(values.turns)
const seed = Number(values.seed)
if (!Number.isInteger(turns) || turns < 1 || !Number.isInteger(seed)) {
  console.error('usage: npm run chaos -- --turns N --seed S [--control] [--json] [--keep]')
  process.exit(2)
}
if (!isOnPath('redis-server')) {
  console.error('chaos needs redis-server; enable it with: apt install redis-server')
  process.exit(process.env.CI ? 1 : 0)
}
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => process.exit(1))
const { verdict, code } = await run({ turns, seed, control: values.control, keep: values.keep })
console.log(values.json ? JSON.stringify(verdict) : table(verdict))
process.exit(code)

async function run(options: Options): Promise<{ verdict: Verdict; code: number }> {
  const started = performance.now()
  const plan = planRun(options.turns, options.seed)
  const folder = mkdtempSync(join(tmpdir(), 'tk-chaos-'))
  const effectsFile = join(folder, 'effects.jsonl')
  await using stack = new AsyncDisposableStack()
  if (!options.keep) stack.defer(() => rmSync(folder, { recursive: true, force: true }))
  else console.error(`files stay in ${folder}`)
  const redis = await startRedisProcess(folder)
  stack.defer(() => redis.close())
  const proxy = await startProxy(redis.socket)
  stack.defer(() => proxy.close())
  const sim = stack.use(await createSim({ seed: options.seed }))
  const configFile = join(folder, 'turnkeeper.config.yaml')
  writeFileSync(configFile, stringify(configuration(proxy.url, sim.url)))
  const admin = await redis.admin()
  stack.defer(() => admin.disconnect())
  const subject = options.control
    ? await openControl({ url: proxy.url, admin, lockMs: LOCK_MS, stalledCheckMs: STALLED_CHECK_MS })
    : await openTurnkeeper({ configFile, effectsFile, admin, reviewAfterMs: 3 * LOCK_MS })
  stack.defer(() => subject.close())
  const pool = startWorkerPool({
    command: subject.command,
    size: WORKERS,
    env: { CHAOS_EFFECTS: effectsFile, CHAOS_REDIS: proxy.url, CHAOS_LOCK_MS: String(LOCK_MS) },
    logFile: join(folder, 'workers.log'),
  })
  stack.defer(() => pool.close())
  process.once('exit', () => {
    pool.killAll()
    redis.kill()
  })

  const faults = noFaults()
  const progress: Progress = { accepted: 0, ended: 0 }
  const reporting = setInterval(() => report(plan, progress, started), 5_000)
  stack.defer(() => clearInterval(reporting))
  const until = started + plan.lengthMs + DRAIN_MS
  const [stories] = await Promise.all([
    runLoad(plan, subject, { until, progress }),
    runFaults(plan.faults, { pool, proxy, redis, lockMs: LOCK_MS }, faults),
  ])
  const verdict = judge({
    seed: options.seed,
    control: options.control,
    stories,
    effects: readEffects(effectsFile),
    deaths: pool.deaths,
    faults,
    config: { workers: WORKERS, concurrency: CONCURRENCY, lockMs: LOCK_MS, stalledCheckMs: STALLED_CHECK_MS },
    wallMs: performance.now() - started,
  })
  const unasked = stories.filter(
    (story) => story.state === 'cancelled' && story.planned.cancelAfterMs === undefined,
  )
  explain(stories, effectsFile, unasked)
  const slow = recoveries(stories, pool.deaths).filter(({ ms }) => ms > SLOW_RECOVERY_MS)
  for (const { turnId, ms } of slow) console.error(`${turnId} stood still for ${ms} ms after kill -9`)
  const illTold = stories.filter((story) => !story.wellTold)
  return { verdict, code: exitCode(verdict, unasked.length + illTold.length) }
}

function configuration(redisUrl: string, simUrl: string): object {
  return {
    redis: { url: redisUrl },
    metrics: { port: 0 },
    providers: { sim: { protocol: 'openai-chat', baseUrl: `${simUrl}/v1` } },
    models: { coder: { routes: ['sim/good'] } },
    probes: { enabled: false },
    queue: {
      concurrency: CONCURRENCY,
      lock: `${LOCK_MS}ms`,
      stalledCheck: `${STALLED_CHECK_MS}ms`,
    },
    telemetry: { logLevel: 'warn' },
    agents: fileURLToPath(new URL('./agents.ts', import.meta.url)),
  }
}

function report(plan: Plan, { accepted, ended }: Progress, started: number): void {
  const seconds = Math.round((performance.now() - started) / 1000)
  console.error(`${seconds} s: ${accepted} of ${plan.turns.length} turns accepted, ${ended} ended`)
}

function explain(stories: readonly Story[], effectsFile: string, unasked: readonly Story[]): void {
  const effects = readEffects(effectsFile)
  const accepted = stories.filter((story) => story.turnId !== undefined)
  const found: readonly (readonly [string, readonly string[]])[] = [
    ['unsafe effect twice', unsafeTwice(effects)],
    ['finished step run again', stepsRerun(accepted, effects)],
    ['out of order', orderViolations(accepted, effects)],
    [
      'lost',
      accepted.filter((story) => story.state === 'lost').map((story) => `${story.turnId}: ${story.error}`),
    ],
    ['told other than it was', accepted.filter((story) => !story.wellTold).map((story) => `${story.turnId}`)],
    ['cancelled by nobody', unasked.map((story) => `${story.turnId}`)],
    [
      'failed',
      accepted.filter((story) => story.state === 'failed').map((story) => `${story.turnId}: ${story.error}`),
    ],
  ]
  for (const [what, which] of found) {
    if (which.length > 0) console.error(`${what} (${which.length}):\n  ${which.slice(0, 20).join('\n  ')}`)
  }
}

function table(verdict: Verdict): string {
  return Object.entries(verdict)
    .map(([name, value]) => `${name.padEnd(16)}${typeof value === 'object' ? JSON.stringify(value) : value}`)
    .join('\n')
}
