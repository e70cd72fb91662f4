/** Runs work, at most so many at once; the rest waits in the order of the calls. */
export type Limit = <T>(work: () => Promise<T>) => Promise<T>

export function createLimit(atOnce: number): Limit {
  const waiting: (() => void)[] = []
  let running = 0
  return async (work) => {
    if (running >= atOnce) await new Promise<void>((resolve) => waiting.push(resolve))
    else running++
    try {
      return await work()
    } finally {
      // A place goes to the next in line; only when nobody waits does it become free.
      const next = waiting.shift()
      if (next) next()
      else running--
    }
  }
}
