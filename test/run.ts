/**
 * `npm test`: every suite that can run here. Says which are skipped for want of a program and how to enable them;
 * with `CI` set, a skipped test is a failure. Ends with one line: N passed, N failed[, N skipped].
 */

import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { isOnPath } from './programs.ts'

type Report = {
  numPassedTests: number
  numFailedTests: number
  numPendingTests: number
  numTodoTests: number
}

/** Programs that some suites need, and the Debian package that has them. */
const programs = {
  'redis-server': 'redis-server',
  promtool: 'prometheus',
  amtool: 'prometheus-alertmanager',
  chromium: 'chromium',
} as const

const missing = Object.entries(programs).filter(([program]) => !isOnPath(program))
const folder = mkdtempSync(join(tmpdir(), 'tk-report-'))
const file = join(folder, 'report.json')
const run = spawnSync(
  'vitest',
  [
    'run',
    '--reporter=default',
    '--silent=passed-only',
    '--reporter=json',
    `--outputFile=${file}`,
    ...process.argv.slice(2),
  ],
  { stdio: 'inherit', env: process.env },
)
const report = existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as Report) : undefined
rmSync(folder, { recursive: true, force: true })

for (const [program, debian] of missing) {
  console.log(`Suites that need ${program} were skipped; enable them with: apt install ${debian}`)
}
const passed = report?.numPassedTests ?? 0
const skipped = (report?.numPendingTests ?? 0) + (report?.numTodoTests ?? 0)
// A suite that could not even be loaded fails the run without a failed test to count.
const failed = Math.max(report?.numFailedTests ?? 0, run.status === 0 ? 0 : 1)
const forbidden = process.env.CI && skipped > 0
if (forbidden) console.log('In CI nothing may be skipped.')
console.log(`${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`)
process.exit(failed > 0 || forbidden ? 1 : 0)
