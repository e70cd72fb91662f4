import { appendFileSync, existsSync, readFileSync } from 'node:fs'
import type { ToolName } from './plan.ts'

/** One run of a tool, as it wrote it itself: what really happened, whatever Redis believes. */
export type EffectLine = {
  /** The planned call. */
  readonly call: string
  readonly tool: ToolName
  /** Idempotency key of the step; empty where the runtime knows none. */
  readonly key: string
  readonly turnId: string
  readonly toolCallId: string
  readonly epoch: number
  readonly pid: number
  /** Milliseconds since 1970. */
  readonly at: number
}

/** Appends a line and waits until the disk has it: appends of several processes never mix. */
export function writeEffect(file: string, line: EffectLine): void {
  appendFileSync(file, `${JSON.stringify(line)}\n`, { flush: true })
}

/** All lines, in the order in which they happened. */
export function readEffects(file: string): EffectLine[] {
  if (!existsSync(file)) return []
  return readFileSync(file, 'utf8')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as EffectLine)
}
