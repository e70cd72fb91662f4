import { createDecayingCount, type DecayingCount } from './decaying-count.ts'

/**
 * How many further attempts the calls of an alias may make: a share of its recent successes, three at least. When an
 * upstream is in trouble, retries are what keeps it there (SRE book, ch. 21; Envoy's retry budget has the minimum).
 */
export type RetryBudget = {
  succeeded(alias: string): void
  /** A further attempt is made. */
  spent(alias: string): void
  /** Whether nothing is left. */
  isSpent(alias: string): boolean
}

export type RetryBudgetOptions = {
  /** Further attempts as a share of successes, 0 to 1. */
  readonly share: number
  /** Monotonic milliseconds. */
  readonly now: () => number
}

/** Further attempts that are free, whatever the successes. */
const MINIMUM = 3
/** What lies back so long counts half. */
const HALF_LIFE_MS = 10_000

/** A budget with nothing spent. Aliases are few: those that a client made up share one entry, under their label. */
export function createRetryBudget({ share, now }: RetryBudgetOptions): RetryBudget {
  const entries = new Map<string, { readonly successes: DecayingCount; readonly further: DecayingCount }>()
  const entryOf = (alias: string) => {
    const count = (): DecayingCount => createDecayingCount({ halfLifeMs: HALF_LIFE_MS, now })
    const entry = entries.get(alias) ?? { successes: count(), further: count() }
    entries.set(alias, entry)
    return entry
  }
  return {
    succeeded: (alias) => entryOf(alias).successes.add(),
    spent: (alias) => entryOf(alias).further.add(),
    isSpent(alias) {
      const { successes, further } = entryOf(alias)
      // A whole attempt must fit: the third of three comes when two and a bit are spent.
      return further.value() + 1 > Math.max(MINIMUM, share * successes.value())
    },
  }
}
