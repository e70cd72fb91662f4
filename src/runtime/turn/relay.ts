import type { Journal } from '../../queue/journal.ts'
import type { Claim } from '../../queue/journal-types.ts'
import type { TurnEventBody } from '../../queue/types.ts'

/** Hands the deltas of a running step on to the readers of its turn, a batch a tick. */
export type Relay = {
  push(event: TurnEventBody): void
  /**
   * Ends the relaying: what still waits is left to the caller, who writes it together with the step's result.
   * `broken`: a write may or may not have arrived, so readers must be given the whole step again.
   */
  end(): Promise<{ readonly waiting: readonly TurnEventBody[]; readonly broken: boolean }>
}

type Delta = Extract<TurnEventBody, { type: 'text.delta' | 'reasoning.delta' }>

/**
 * A delta waits at most this long for others to join it: below what a reader's eye resolves; the first one of a step, which
 * its reader waits for, not at all. All turns of a process write at the same ticks, so that the journal can write for all
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
export function createRelay(journal: Journal, claim: Claim): Relay {
  const relay = journal.relay(claim)
  let waiting: TurnEventBody[] = []
  let isDue = false
  let writing: Promise<void> | undefined
  let isFirst = true
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
    if (!ended) writing = write()
  }
  const schedule = (): void => {
    if (ended || waiting.length === 0 || isDue || writing !== undefined) return
    isDue = true
    if (isFirst) setImmediate(start)
    else atNextTick(start)
    isFirst = false
  }

  return {
    push(event) {
      const last = waiting.at(-1)
      if (last && isDelta(last) && isDelta(event) && last.type === event.type) {
        waiting[waiting.length - 1] = { ...last, delta: last.delta + event.delta }
      } else waiting.push(event)
      schedule()
    },
    async end() {
      ended = true
      await writing
      return { waiting, broken }
    },
  }
}

function isDelta(event: TurnEventBody): event is Delta {
  return event.type === 'text.delta' || event.type === 'reasoning.delta'
}
