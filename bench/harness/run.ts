/** Runs a group: a fresh process a variant, A B A B …, so that whatever else the machine does meets all alike. */

import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import type { Group, Variant } from './group.ts'
import { type Row, type Sample, samplesToRows } from './statistics.ts'

const CHILD = fileURLToPath(new URL('child.ts', import.meta.url))
const MOCK = fileURLToPath(new URL('../mock/main.ts', import.meta.url))

export type RunOptions = {
  readonly repeats: number
  /** Variants whose name holds one of these alone, and the floor. Default: all. */
  readonly only?: readonly string[]
  /** Where progress is told. */
  readonly note: (line: string) => void
}

/** All repeats of all variants of `group`, as rows. */
export async function runGroup(group: Group, { repeats, only, note }: RunOptions): Promise<readonly Row[]> {
  await using mock = group.needsMock ? await startMock() : undefined
  await group.prepare?.()
  const samples = new Map<string, Sample[]>()
  const variants = group.variants.filter(
    ({ name }) => only === undefined || name === group.floor || only.some((part) => name.includes(part)),
  )
  for (let repeat = 1; repeat <= repeats; repeat++) {
    for (const variant of variants) {
      note(`${group.name} ${repeat}/${repeats}: ${variant.name}`)
      const sample = await runVariant(variant, mock && { url: mock.url })
      samples.set(variant.name, [...(samples.get(variant.name) ?? []), sample])
    }
  }
  const rows = samplesToRows(samples, group)
  return [...rows, ...(group.derive?.(rows) ?? [])]
}

async function runVariant(
  { module, options, nodeFlags = [] }: Variant,
  shared: Readonly<Record<string, unknown>> = {},
): Promise<Sample> {
  const flags = ['--disable-warning=ExperimentalWarning', ...nodeFlags]
  const child = spawn(
    process.execPath,
    [...flags, CHILD, module, JSON.stringify({ ...shared, ...options })],
    {
      stdio: ['ignore', 'pipe', 'inherit'],
      env: { ...process.env, NODE_ENV: 'production' },
    },
  )
  let last = ''
  for await (const line of createInterface({ input: child.stdout })) last = line
  if (child.exitCode === null && child.signalCode === null) await once(child, 'exit')
  if (child.exitCode !== 0) throw new Error(`${module}: ended with ${child.exitCode ?? child.signalCode}`)
  return JSON.parse(last) as Sample // printed by child.ts
}

type Mock = AsyncDisposable & { readonly url: string }

async function startMock(): Promise<Mock> {
  const child: ChildProcess = spawn(process.execPath, [MOCK], { stdio: ['pipe', 'pipe', 'inherit'] })
  const [port] = await once(createInterface({ input: child.stdout! }), 'line') // piped above
  return {
    url: `http://127.0.0.1:${port}`,
    async [Symbol.asyncDispose]() {
      child.stdin?.end()
      if (child.exitCode === null) await once(child, 'exit')
    },
  }
}
