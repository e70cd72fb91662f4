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

/** A count of 0. Costs two numbers, however much it counts. */
export function createDecayingCount({ halfLifeMs, now }: DecayingCountOptions): DecayingCount {
  let held = 0
  let at = now()
  const value = (): number => held * 2 ** -((now() - at) / halfLifeMs)
  return {
    value,
    add(amount = 1) {
      held = value() + amount
      at = now()
    },
  }
}
