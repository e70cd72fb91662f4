/** A count that forgets: after one half-life without news it is half of what it was. */
export type DecayingCount = {
  add(amount?: number): void
  value(): number
}

export type DecayingCountOptions = {
  readonly halfLifeMs: number
  /** Monotonic milliseconds. */
  readonly now: () => number
}

/** What comes within this share of the half-life counts as at once: it is less than a thousandth off. */
const GRAIN = 1 / 1000

/** A count of 0. Costs two numbers, however much it counts. */
export function createDecayingCount({ halfLifeMs, now }: DecayingCountOptions): DecayingCount {
  let held = 0
  let at = now()
  const valueAt = (when: number): number => held * 2 ** -((when - at) / halfLifeMs)
  return {
    value: () => valueAt(now()),
    add(amount = 1) {
      const when = now()
      if (when - at > halfLifeMs * GRAIN) {
        held = valueAt(when)
        at = when
      }
      held += amount
    },
  }
}
