/**
 * The timers of one attempt, on one native timer: progress only moves deadlines away, so a byte costs a reading
 * of the clock and no timer call, and the timer looks again when it fires.
 *
 * The fifth one, `connect`, is kept by the connector, which alone knows waiting for a socket from connecting it.
 */

import type { Timeouts } from '../types.ts'

export type DeadlineReason = 'timeout_headers' | 'timeout_first_content' | 'stall' | 'timeout_total'

export type Deadlines = {
  /** The request is on its way on a connected socket. */
  sent(): void
  /** The response headers are there. */
  headers(): void
  /** So many have come, now or at `at` by the clock of the timers. */
  bytes(sizeBytes: number, at?: number): void
  content(): void
  /** The answer has said why it ended; only usage and an end marker may follow, and not for long. */
  finished(): void
  stop(): void
  /** The longest silence since the headers, in milliseconds. */
  readonly longestSilenceMs: number
  /** How long nothing has come by now; 0 before the headers and once it is over. */
  readonly silenceMs: number
}

export type DeadlineOptions = {
  readonly timeouts: Timeouts
  /** Milliseconds, monotonic. */
  readonly now: () => number
  /** Least bytes a second, over a window, of a stream that is to live. Default 16. */
  readonly floorBytesPerSecond?: number
  readonly onExpire: (reason: DeadlineReason, afterMs: number) => void
}

/** How long a finished answer is waited on for its usage and its end marker. */
const FINISHED_IDLE_MS = 5000

/**
 * A stream that sends a word now and then never falls silent, and holds a turn for as long as the total timer lets it
 * (maximhq/bifrost#6472: alive at a token a second). One token in an event is some 100 to 300 bytes, so 16 bytes a
 * second is a token every 10 s: nobody waits for that answer. The window is longer than both patience timers, so
 * that a pause which they allow does not end a stream here.
 */
const FLOOR_BYTES_PER_SECOND = 16
const FLOOR_WINDOWS = 2

/** Starts the total timer at once; the others start as the attempt goes on. */
export function startDeadlines(options: DeadlineOptions): Deadlines {
  const { timeouts, now, onExpire, floorBytesPerSecond = FLOOR_BYTES_PER_SECOND } = options
  const { headersMs, firstContentMs, totalMs } = timeouts
  const startedAt = now()
  let idleMs = timeouts.idleMs
  let sentAt: number | undefined
  let lastByteAt: number | undefined
  let lastContentAt = 0
  const windowMs = FLOOR_WINDOWS * Math.max(timeouts.idleMs, firstContentMs)
  const floorBytes = Math.ceil((floorBytesPerSecond * windowMs) / 1000)
  let windowFrom = 0
  let windowBytes = 0
  let longestSilenceMs = 0
  let timer: NodeJS.Timeout | undefined
  let armedFor = Number.POSITIVE_INFINITY
  let isStopped = false

  const next = (): Due => {
    const total = ['timeout_total', startedAt + totalMs, totalMs] as const
    if (lastByteAt !== undefined) {
      const stall = ['stall', lastByteAt + idleMs, idleMs] as const
      const content = ['timeout_first_content', lastContentAt + firstContentMs, firstContentMs] as const
      const floor = ['stall', windowFrom + windowMs, windowMs] as const
      return earliest(earliest(total, stall), earliest(content, floor))
    }
    if (sentAt === undefined) return total
    return earliest(total, ['timeout_headers', sentAt + headersMs, headersMs])
  }
  const arm = (): void => {
    const [, at] = next()
    if (isStopped || at >= armedFor) return
    clearTimeout(timer)
    armedFor = at
    timer = setTimeout(look, Math.max(1, Math.ceil(at - now())))
  }
  const look = (): void => {
    armedFor = Number.POSITIVE_INFINITY
    nextWindow()
    const [reason, at, afterMs] = next()
    if (now() < at) arm()
    else {
      noteSilence(now())
      stop()
      onExpire(reason, afterMs)
    }
  }
  /** A window in which enough came is followed by another one. */
  const nextWindow = (): void => {
    if (lastByteAt === undefined || now() < windowFrom + windowMs || windowBytes < floorBytes) return
    windowFrom = now()
    windowBytes = 0
  }
  const noteSilence = (at: number): void => {
    if (lastByteAt !== undefined) longestSilenceMs = Math.max(longestSilenceMs, at - lastByteAt)
  }
  const stop = (): void => {
    isStopped = true
    clearTimeout(timer)
  }

  arm()
  return {
    sent() {
      sentAt = now()
      arm()
    },
    headers() {
      lastByteAt = lastContentAt = windowFrom = now()
      arm()
    },
    bytes(sizeBytes, at = now()) {
      noteSilence(at)
      windowBytes += sizeBytes
      lastByteAt = at
    },
    content() {
      lastContentAt = now()
    },
    finished() {
      idleMs = Math.min(idleMs, FINISHED_IDLE_MS)
      arm()
    },
    stop,
    get longestSilenceMs() {
      return longestSilenceMs
    },
    get silenceMs() {
      return isStopped || lastByteAt === undefined ? 0 : now() - lastByteAt
    },
  }
}

type Due = readonly [DeadlineReason, at: number, afterMs: number]

function earliest(a: Due, b: Due): Due {
  return b[1] < a[1] ? b : a
}
