import type { Journal } from '../../queue/journal.ts'
import type { Claim, ShownStep } from '../../queue/journal-types.ts'
import type { TurnEventBody } from '../../queue/types.ts'

/** Hands the deltas of a running step on to the readers of its turn, a batch a tick. */
export type Relay = {
  push(event: TurnEventBody): void
  /**
   * Ends the relaying: what still waits is left to the caller, who writes it together with the step's result.
   * `broken`: a write may or may not have arrived, so readers must be given the whole step again.
   */
  end(): Promise<{ readonly waiting: readonly TurnEventBody[]; readonly broken: boolean }>
  /** Ends the relaying of a step that has no result: what still waits is written, if Redis takes it. */
  leave(): Promise<void>
}

type Delta = Extract<TurnEventBody, { type: 'text.delta' | 'reasoning.delta' }>
/** One that others of its kind join while it waits. */
type Growing = { -readonly [Field in keyof Delta]: Delta[Field] }

/**
 * An event waits at most this long for others to join it: below what a reader's eye resolves; the first delta of a step,
 * which its reader waits for, not at all. All turns of a process write at the same ticks, so that the journal can write for all
 * of them at once.
 */
const TICK_MS = 20

let due: (() => void)[] = []

/** One timer for the relays of all turns. */
function atNextTick(work: () => void): void {
  if (due.push(work) > 1) return
  setTimeout(
    () => {
      const now = due
      due = []
      for (const one of now) one()
    },
    TICK_MS - (Date.now() % TICK_MS),
  )
}

/**
 * A relay for one step: deltas that come within a tick leave in one write, and while a write is out the next batch
 * grows, so a slow Redis makes batches larger, not more (one XADD a token costs 20 to 60 µs, one a tick about 7).
 */
export function createRelay(journal: Journal, claim: Claim, step?: Omit<ShownStep, 'epoch'>): Relay {
  const relay = journal.relay(claim, step)
  let waiting: TurnEventBody[] = []
  let growing: Growing | undefined
  let isDue = false
  let writing: Promise<void> | undefined
  let isFirst = true // no delta has come
  let broken = false
  let ended = false

  const write = async (): Promise<void> => {
    const batch = waiting
    waiting = []
    try {
      await relay(batch)
    } catch {
      broken = true
    }
    writing = undefined
    schedule()
  }
  const start = (): void => {
    isDue = false
    if (!ended && waiting.length > 0 && writing === undefined) writing = write()
  }
  const schedule = (): void => {
    if (ended || waiting.length === 0 || isDue || writing !== undefined) return
    isDue = true
    atNextTick(start)
  }

  return {
    push(event) {
      if (!isDelta(event)) waiting.push(event)
      else if (growing?.type === event.type && growing === waiting.at(-1)) growing.delta += event.delta
      else {
        growing = { ...event }
        waiting.push(growing)
      }
      if (isFirst && isDelta(event)) {
        isFirst = false
        setImmediate(start)
      } else schedule()
    },
    async end() {
      ended = true
      await writing
      return { waiting, broken }
    },
    async leave() {
      ended = true
      await writing
      if (waiting.length > 0) await write()
    },
  }
}

function isDelta(event: TurnEventBody): event is Delta {
  return event.type === 'text.delta' || event.type === 'reasoning.delta'
}
