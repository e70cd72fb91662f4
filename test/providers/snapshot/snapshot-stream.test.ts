import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test, vi } from 'vitest'
import { streamSnapshots } from '../../../src/providers/snapshot/snapshot-stream.ts'
import { noTelemetry } from '../../../src/telemetry/none.ts'

const PAGE = 'provider_attempts_total{route="a/b",provider="a",model="b",outcome="ok"} 3\n'
const folder = mkdtempSync(join(tmpdir(), 'tk-stream-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const lines = (file: string): Record<string, unknown>[] =>
  readFileSync(file, 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line))

test('a line a route comes with every tick, and a last one at the end', async () => {
  const file = join(folder, 'ticks.jsonl')
  const stream = streamSnapshots({
    ...{ file, instance: 'w1', page: () => PAGE, log: noTelemetry.log, everyMs: 20 },
  })
  await expect.poll(() => existsSync(file) && lines(file).length).toBeGreaterThan(2)
  await stream[Symbol.asyncDispose]()
  const count = lines(file).length
  expect(lines(file).at(-1)).toMatchObject({ instance: 'w1', provider: 'a', route: 'a/b', attempts: 3 })
  await new Promise((resolve) => setTimeout(resolve, 60))
  expect(lines(file)).toHaveLength(count)
})

test('a file that has grown too large makes room for a new one', async () => {
  const file = join(folder, 'large.jsonl')
  const stream = streamSnapshots({
    ...{ file, instance: 'w1', page: () => PAGE, log: noTelemetry.log, everyMs: 20, maxBytes: 10 },
  })
  await expect.poll(() => existsSync(`${file}.1`)).toBe(true)
  await stream[Symbol.asyncDispose]()
})

test('a file that cannot be written is said once, and written when it can', async () => {
  const warn = vi.fn()
  let page = (): string => {
    throw new Error('no page')
  }
  const file = join(folder, 'later.jsonl')
  const stream = streamSnapshots({
    ...{ file, instance: 'w1', page: () => page(), log: { ...noTelemetry.log, warn }, everyMs: 10 },
  })
  await new Promise((resolve) => setTimeout(resolve, 100))
  expect(warn).toHaveBeenCalledTimes(1)
  page = () => PAGE
  await expect.poll(() => existsSync(file)).toBe(true)
  await stream[Symbol.asyncDispose]()
})
