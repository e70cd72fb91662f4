/**
 * The timers of one attempt, on one native timer: progress only moves deadlines away, so a byte costs a reading
 * of the clock and no timer call, and the timer looks again when it fires.
 *
 * The fifth one, `connect`, is kept by the connector, which alone knows waiting for a socket from connecting it.
 */

import type { Timeouts } from './types.ts'

export type DeadlineReason = 'timeout_headers' | 'timeout_first_content' | 'stall' | 'timeout_total'

export type Deadlines = {
  /** The request is on its way on a connected socket. */
  sent(): void
  /** The response headers are there. */
  headers(): void
  bytes(): void
  content(): void
  /** The answer has said why it ended; only usage and an end marker may follow, and not for long. */
  finished(): void
  stop(): void
  /** The longest silence since the headers, in milliseconds. */
  readonly longestSilenceMs: number
}

export type DeadlineOptions = {
  readonly timeouts: Timeouts
  /** Milliseconds, monotonic. */
  readonly now: () => number
  readonly onExpire: (reason: DeadlineReason, afterMs: number) => void
}

/** How long a finished answer is waited on for its usage and its end marker. */
const FINISHED_IDLE_MS = 5000

/** Starts the total timer at once; the others start as the attempt goes on. */
export function startDeadlines({ timeouts, now, onExpire }: DeadlineOptions): Deadlines {
  const { headersMs, firstContentMs, totalMs } = timeouts
  const startedAt = now()
  let idleMs = timeouts.idleMs
  let sentAt: number | undefined
  let lastByteAt: number | undefined
  let lastContentAt = 0
  let longestSilenceMs = 0
  let timer: NodeJS.Timeout | undefined
  let armedFor = Number.POSITIVE_INFINITY
  let isStopped = false

  const next = (): Due => {
    const total = ['timeout_total', startedAt + totalMs, totalMs] as const
    if (lastByteAt !== undefined) {
      const stall = ['stall', lastByteAt + idleMs, idleMs] as const
      const content = ['timeout_first_content', lastContentAt + firstContentMs, firstContentMs] as const
      return earliest(earliest(total, stall), content)
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
    const [reason, at, afterMs] = next()
    if (now() < at) arm()
    else {
      noteSilence()
      stop()
      onExpire(reason, afterMs)
    }
  }
  const noteSilence = (): void => {
    if (lastByteAt !== undefined) longestSilenceMs = Math.max(longestSilenceMs, now() - lastByteAt)
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
      lastByteAt = lastContentAt = now()
      arm()
    },
    bytes() {
      noteSilence()
      lastByteAt = now()
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
  }
}

type Due = readonly [DeadlineReason, at: number, afterMs: number]

function earliest(a: Due, b: Due): Due {
  return b[1] < a[1] ? b : a
}
