import { spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { CORPUS } from './corpus.ts'

type Total = { readonly pass: number; readonly fail: number }
type Report = { readonly totals: Record<string, Total>; readonly crashes: readonly unknown[] }

let folder: string
let report: Report

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'tk-corpus-'))
  const out = join(folder, 'report.json')
  const args = [
    join(CORPUS, 'accept.mjs'),
    '--quiet',
    ...['--adapter', resolve('test/acceptance/adapter.mjs'), '--out', out],
    ...['--file', join(CORPUS, 'exchanges.lite.jsonl'), '--expected', join(CORPUS, 'expected.lite.jsonl')],
  ]
  const runner = spawn(process.execPath, args, { stdio: 'ignore' })
  await new Promise((end) => runner.once('exit', end))
  report = JSON.parse(readFileSync(out, 'utf8')) as Report
}, 180_000)
afterAll(() => rmSync(folder, { recursive: true, force: true }))

test('recorded exchanges give the answers that others have found in them', () => {
  const { pass, fail } = report.totals['base | TOTAL'] as Total
  expect(pass / (pass + fail)).toBeGreaterThanOrEqual(0.99)
  expect(pass).toBeGreaterThan(250)
})

test('nothing that is done to their transport or in their midst changes that', () => {
  const bad = Object.entries(report.totals).filter(([name, { fail }]) => !name.startsWith('base') && fail > 0)
  expect(bad).toEqual([])
  expect(report.crashes).toEqual([])
})
