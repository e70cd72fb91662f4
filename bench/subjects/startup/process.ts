/** A whole process that only starts: its CPU until it ends. On an idle machine that is its time, or a little more. */

import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Measure } from '../../harness/group.ts'
import { cpuOfProcessUs } from '../../harness/process-cpu.ts'
import { startRedis } from '../redis.ts'
import { configOf } from '../turn/world.ts'

const FOLDER = fileURLToPath(new URL('../../', import.meta.url))
const AT_EXIT =
  'data:text/javascript,process.on("exit",()=>process._rawDebug("CPU "+JSON.stringify(process.cpuUsage())))'

/** `imports`: a module to import. `runs`: a program with arguments. `works`: a program that has the command `worker`. None: node alone. */
export const measure: Measure = async ({ imports, runs, works }) => {
  const sample: Record<string, number> = {}
  if (typeof imports === 'string')
    sample.import = cpuMs(evaluating(`await import(${JSON.stringify(resolved(imports))})`))
  if (Array.isArray(runs))
    sample['--help'] = cpuMs(runs.map((word, i) => (i === 0 ? FOLDER + word : String(word))))
  if (typeof works === 'string') sample['worker ready'] = await workerReadyMs(FOLDER + works)
  if (imports === undefined && runs === undefined) sample.import = sample['--help'] = cpuMs(evaluating(''))
  return sample
}

/** Until it takes turns, which its first line on standard output says. */
async function workerReadyMs(program: string): Promise<number> {
  await using redis = await startRedis()
  const folder = mkdtempSync(join(tmpdir(), 'tk-bench-'))
  const config = join(folder, 'turnkeeper.config.yaml')
  writeFileSync(config, JSON.stringify(configOf(redis.url))) // JSON is YAML
  const child = spawn(process.execPath, [program, 'worker', '--config', config, '--json'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  await once(child.stdout!, 'data') // piped above
  const cpuMs = cpuOfProcessUs(child) / 1000
  child.kill()
  await once(child, 'exit')
  rmSync(folder, { recursive: true, force: true })
  return cpuMs
}

function evaluating(code: string): string[] {
  return ['--input-type=module', '-e', `${code};process.exit()`]
}

function resolved(target: string): string {
  return target.startsWith('.') ? new URL(target, `file://${FOLDER}`).href : target
}

function cpuMs(args: string[]): number {
  const { stderr, status } = spawnSync(process.execPath, ['--import', AT_EXIT, ...args], {
    cwd: FOLDER,
    encoding: 'utf8',
  })
  const usage = /CPU (\{.*\})/.exec(stderr)?.[1]
  if (status !== 0 || usage === undefined) throw new Error(`${args.join(' ')}: ${stderr}`)
  const { user, system } = JSON.parse(usage) as NodeJS.CpuUsage // written by AT_EXIT
  return (user + system) / 1000
}
