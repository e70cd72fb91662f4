import type { PartSink, StreamPart } from './types.ts'

/** Parts pushed by an attempt, read as an async iterable: a promise waits only where no part does. */
export type PartQueue = {
  readonly push: PartSink
  /** Nothing more comes. */
  end(): void
  /** `onReturn` is called when the reader leaves before the end. */
  iterate(onReturn: () => void): AsyncIterableIterator<StreamPart>
}

/** A queue for one reader. */
export function createPartQueue(): PartQueue {
  let waiting: StreamPart[] = []
  let read = 0
  let isOver = false
  let wake: ((result: IteratorResult<StreamPart>) => void) | undefined

  const done: IteratorResult<StreamPart> = { done: true, value: undefined }
  const take = (): IteratorResult<StreamPart> | undefined => {
    const value = waiting[read]
    if (value === undefined) return isOver ? done : undefined
    read++
    if (read === waiting.length) {
      waiting = []
      read = 0
    }
    return { done: false, value }
  }
  const release = (): void => {
    if (wake === undefined) return
    const result = take()
    if (result === undefined) return
    wake(result)
    wake = undefined
  }

  return {
    push(part) {
      if (isOver) return
      waiting.push(part)
      release()
    },
    end() {
      isOver = true
      release()
    },
    iterate: (onReturn) => ({
      next() {
        const result = take()
        if (result !== undefined) return Promise.resolve(result)
        return new Promise((resolve) => {
          wake = resolve
        })
      },
      return() {
        isOver = true
        waiting = []
        read = 0
        onReturn()
        return Promise.resolve(done)
      },
      [Symbol.asyncIterator]() {
        return this
      },
    }),
  }
}
