/** What a group of measurements is: data for the harness, with the subjects in modules of their own. */

import type { Row, Sample } from './statistics.ts'

export const GROUP_NAMES = [
  'provider',
  'sse',
  'turn',
  'scale',
  'breaker',
  'telemetry',
  'memory',
  'startup',
] as const
export type GroupName = (typeof GROUP_NAMES)[number]

/** One subject: a module with a `measure`, run in a fresh process for every repeat. */
export type Variant = {
  readonly name: string
  /** Path in `bench/`: below `subjects/`, or below `peers/` where it needs what only this folder has. */
  readonly module: string
  /** Handed to `measure`. */
  readonly options?: Readonly<Record<string, unknown>>
  /** Flags of node for its process. */
  readonly nodeFlags?: readonly string[]
}

/** A figure that is promised; `ratio` is to the floor. */
export type Goal = {
  readonly variant: string
  readonly column: string
  readonly of: 'us' | 'ratio'
  readonly atMost: number
  /** Why it is missed, where it is: shown with the figure as long as that is so. */
  readonly why?: string
}

export type Group = {
  readonly name: GroupName
  readonly title: string
  /** For the page of the results: what is compared, in a sentence or two. */
  readonly about: string
  /** The variant that ratios refer to. */
  readonly floor: string
  readonly variants: readonly Variant[]
  /** Units of the columns that are not microseconds of CPU. */
  readonly units?: Readonly<Record<string, string>>
  readonly goals: readonly Goal[]
  /** Whether the mock runs beside it; its address is the option `url`. */
  readonly needsMock?: boolean
  /** Done once before the first repeat. */
  readonly prepare?: () => Promise<void>
  /** Rows that follow from others. */
  readonly derive?: (rows: readonly Row[]) => readonly Row[]
}

/** What such a module exports as `measure`. */
export type Measure = (options: Readonly<Record<string, unknown>>) => Promise<Sample>
