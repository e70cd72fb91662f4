import { setTimeout as sleep } from 'node:timers/promises'

const FIRST_PAUSE_MS = 100
const LONGEST_PAUSE_MS = 2_000

/** How long a worker repeats a write that nobody answers: what it knows would be lost with it. */
const PATIENCE_MS = 60_000

/**
 * Writes again until Redis answers, for at most `forMs` (default a minute); for writes that may be repeated.
 * @throws what the last try threw.
 */
export async function persist<T>(write: () => Promise<T>, forMs = PATIENCE_MS): Promise<T> {
  const started = performance.now()
  for (let pauseMs = FIRST_PAUSE_MS; ; pauseMs = Math.min(2 * pauseMs, LONGEST_PAUSE_MS)) {
    try {
      return await write()
    } catch (error) {
      if (performance.now() - started + pauseMs > forMs) throw error
      await sleep(pauseMs)
    }
  }
}
