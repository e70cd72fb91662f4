/** Runs `work` after all earlier work of any of the keys has ended, however it ended. */
export type CallOrder<Key> = <T>(keys: readonly Key[], work: () => Promise<T>) => Promise<T>

/** Keeps calls in the order in which they were made, key by key; different keys run at once. */
export function createCallOrder<Key>(): CallOrder<Key> {
  const last = new Map<Key, Promise<unknown>>()
  return (keys, work) => {
    const earlier = Promise.allSettled(keys.map((key) => last.get(key)))
    const mine = earlier.then(work)
    const forget = (): void => {
      for (const key of keys) if (last.get(key) === mine) last.delete(key)
    }
    for (const key of keys) last.set(key, mine)
    mine.then(forget, forget)
    return mine
  }
}
