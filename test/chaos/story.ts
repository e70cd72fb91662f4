import type { PlannedTurn } from './plan.ts'

/** What became of one planned turn, in the words of both subjects. */
export type Story = {
  readonly planned: PlannedTurn
  /** Undefined where nothing was accepted. */
  readonly turnId: string | undefined
  /** `lost`: accepted, and not at its end when everybody had had the time. */
  readonly state: 'completed' | 'failed' | 'cancelled' | 'lost'
  readonly error?: string
  readonly startedAt?: number
  readonly endedAt?: number
  /** Each claim by a worker, in order. */
  readonly starts: readonly { readonly pid: number; readonly at: number }[]
  /** When each tool step was committed, by its idempotency key. */
  readonly committed: ReadonlyMap<string, number>
  /** Steps that began again after they had been completed. */
  readonly restarted: number
  /** What the events told is the answer. */
  readonly wellTold: boolean
  readonly reviews: readonly { readonly real: boolean }[]
}

/** Something that turns are given to: Turnkeeper, or plain BullMQ. */
export type Subject = {
  /** Arguments of `node` for one worker. */
  readonly command: readonly string[]
  /** Enqueues a turn, cancels it if that is planned, and sees it to its end or to `until` (monotonic). */
  run(
    turn: PlannedTurn,
    until: number,
  ): { readonly accepted: Promise<unknown>; readonly story: Promise<Story> }
  close(): Promise<void>
}
