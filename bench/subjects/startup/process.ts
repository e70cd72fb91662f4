/** A whole process that only starts: its CPU until it ends. On an idle machine that is its time, or a little more. */

import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import type { Measure } from '../../harness/group.ts'

const FOLDER = fileURLToPath(new URL('../../', import.meta.url))
const AT_EXIT =
  'data:text/javascript,process.on("exit",()=>process._rawDebug("CPU "+JSON.stringify(process.cpuUsage())))'

/** `imports`: a module to import. `runs`: a program with arguments. Neither: node alone. */
export const measure: Measure = async ({ imports, runs }) => {
  const sample: Record<string, number> = {}
  if (typeof imports === 'string')
    sample.import = cpuMs(evaluating(`await import(${JSON.stringify(resolved(imports))})`))
  if (Array.isArray(runs))
    sample['--help'] = cpuMs(runs.map((word, i) => (i === 0 ? FOLDER + word : String(word))))
  if (imports === undefined && runs === undefined) sample.import = sample['--help'] = cpuMs(evaluating(''))
  return sample
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
