/** SIGINT and SIGTERM as an AbortSignal, SIGHUP as a wish to reload. */

export type Interruption = Disposable & {
  /** Aborts at the first signal. */
  readonly signal: AbortSignal
  /** 130 or 143 after a signal, 0 before. */
  status(): number
}

/**
 * A terminal sends Ctrl-C to the whole group, and the launcher of an older Node passes its own copy on: what comes
 * this soon after the first is the same key press.
 */
const SAME_KEY_PRESS_MS = 300

const STATUS = { SIGINT: 130, SIGTERM: 143 } as const

/** Listens for signals until it is disposed of; the second Ctrl-C or SIGTERM exits at once. */
export function listenForSignals(): Interruption {
  const stop = new AbortController()
  let status = 0
  let firstAt = 0
  const onSignal = (name: keyof typeof STATUS): void => {
    if (status !== 0 && performance.now() - firstAt < SAME_KEY_PRESS_MS) return
    if (status !== 0) process.exit(STATUS[name])
    status = STATUS[name]
    firstAt = performance.now()
    stop.abort()
  }
  process.on('SIGINT', onSignal)
  process.on('SIGTERM', onSignal)
  return {
    signal: stop.signal,
    status: () => status,
    [Symbol.dispose]() {
      process.off('SIGINT', onSignal)
      process.off('SIGTERM', onSignal)
    },
  }
}

/** Resolves when `signal` aborts. */
export function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve()
  return new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }))
}

export type HangUps = Disposable & {
  /** Calls `work` at each SIGHUP from now on, and at once where one has come already. */
  handle(work: () => void): void
}

/** Listens for SIGHUP until it is disposed of; one that nobody handles yet waits instead of ending the process. */
export function listenForHangUps(): HangUps {
  let work: (() => void) | undefined
  let isPending = false
  const onSignal = (): void => {
    if (work === undefined) isPending = true
    else work()
  }
  process.on('SIGHUP', onSignal)
  return {
    handle(given) {
      work = given
      if (isPending) given()
    },
    [Symbol.dispose]() {
      process.off('SIGHUP', onSignal)
    },
  }
}
