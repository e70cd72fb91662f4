/**
 * `npm run corpus`: the acceptance runner over recorded exchanges, through the adapter beside this file. The
 * recordings are no part of this repository; TURNKEEPER_CORPUS names their folder.
 */

import { spawnSync } from 'node:child_process'
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { CORPUS, hasCorpus } from './corpus.ts'

type Total = { readonly pass: number; readonly fail: number }

const MIN_BASE_RATE = 0.99
const root = resolve(import.meta.dirname, '../..')

if (hasCorpus) process.exitCode = runCorpus()
else console.log(`skipped: no recorded exchanges in ${CORPUS} (set TURNKEEPER_CORPUS to their folder)`)

/** 0 if the share of good base cases reaches its bar and no process-level crash came, else 1. */
function runCorpus(): number {
  const folder = mkdtempSync(join(tmpdir(), 'tk-corpus-'))
  try {
    for (const name of ['accept.mjs', 'replay.mjs']) copyFileSync(join(CORPUS, name), join(folder, name))
    for (const name of ['exchanges.jsonl', 'expected.jsonl']) {
      writeFileSync(join(folder, name), gunzipSync(readFileSync(join(CORPUS, `${name}.gz`))))
    }
    const out = join(folder, 'report.json')
    const adapter = join(root, 'test/acceptance/adapter.mjs')
    const options = ['--adapter', adapter, '--out', out, '--quiet', ...process.argv.slice(2)]
    spawnSync(process.execPath, [join(folder, 'accept.mjs'), ...options], { stdio: 'inherit' })
    return verdictOf(out)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

function verdictOf(file: string): number {
  // Written by the runner just now.
  const report = JSON.parse(readFileSync(file, 'utf8')) as {
    totals: Record<string, Total>
    crashes: readonly unknown[]
  }
  const { pass, fail } = report.totals['base | TOTAL'] ?? { pass: 0, fail: 0 }
  const rate = pass / Math.max(1, pass + fail)
  console.log(`base: ${pass} of ${pass + fail} (${(rate * 100).toFixed(2)} %), bar ${MIN_BASE_RATE * 100} %`)
  return rate >= MIN_BASE_RATE && report.crashes.length === 0 ? 0 : 1
}
