/** A signal that one side sets and the other waits for; setting it twice before a wait counts once. */
export type Wakener = {
  wake(): void
  /** Resolves at the next `wake`, at once if one came since the last wait, after `timeoutMs`, or on abort. */
  wait(timeoutMs: number, signal?: AbortSignal): Promise<void>
}

export function createWakener(): Wakener {
  let pending = false
  let resume: (() => void) | undefined
  return {
    wake() {
      pending = true
      resume?.()
    },
    async wait(timeoutMs, signal) {
      if (!pending && !signal?.aborted) {
        await new Promise<void>((resolve) => {
          const done = (): void => {
            clearTimeout(timer)
            signal?.removeEventListener('abort', done)
            resume = undefined
            resolve()
          }
          const timer = setTimeout(done, timeoutMs)
          signal?.addEventListener('abort', done, { once: true })
          resume = done
        })
      }
      pending = false
    },
  }
}
