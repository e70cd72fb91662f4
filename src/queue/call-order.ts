/** Runs `work` after all earlier work of the same key has ended, however it ended. */
export type CallOrder<Key> = <T>(key: Key, work: () => Promise<T>) => Promise<T>

/** Keeps calls in the order in which they were made, key by key; different keys run at once. */
export function createCallOrder<Key>(): CallOrder<Key> {
  const last = new Map<Key, Promise<unknown>>()
  return (key, work) => {
    const earlier = last.get(key) ?? Promise.resolve()
    const mine = earlier.then(work, work)
    const forget = (): void => {
      if (last.get(key) === mine) last.delete(key)
    }
    last.set(key, mine)
    mine.then(forget, forget)
    return mine
  }
}
