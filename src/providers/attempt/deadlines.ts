/**
 * The timers of one attempt, on one native timer that looks every few seconds, and when something is due: what
 * happens in between only notes its time, since no deadline can begin and pass between two looks.
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
  /** Content was in what came last. */
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
  return new AttemptDeadlines(options)
}

type Due = readonly [DeadlineReason, at: number, afterMs: number]

/** A class, since every attempt has one: its times lie in the object, and each closure would be an object of its own. */
class AttemptDeadlines implements Deadlines {
  readonly #options: DeadlineOptions
  readonly #startedAt: number
  /** The least patience that any phase of the attempt may have. */
  readonly #lookMs: number
  readonly #windowMs: number
  readonly #floorBytes: number
  #idleMs: number
  #sentAt = Number.NaN
  #lastByteAt = Number.NaN
  #lastContentAt = Number.NaN
  #windowFrom = Number.NaN
  #windowBytes = 0
  #longestSilenceMs = 0
  #timer: NodeJS.Timeout | undefined
  #hasHeaders = false
  #isStopped = false

  constructor(options: DeadlineOptions) {
    const { timeouts, now, floorBytesPerSecond = FLOOR_BYTES_PER_SECOND } = options
    const { headersMs, firstContentMs, idleMs } = timeouts
    this.#options = options
    this.#startedAt = now()
    this.#idleMs = idleMs
    this.#lookMs = Math.min(FINISHED_IDLE_MS, headersMs, firstContentMs, idleMs)
    this.#windowMs = FLOOR_WINDOWS * Math.max(idleMs, firstContentMs)
    this.#floorBytes = Math.ceil((floorBytesPerSecond * this.#windowMs) / 1000)
    this.#arm(Math.min(this.#lookMs, timeouts.totalMs))
  }

  sent(): void {
    this.#sentAt = this.#options.now()
  }

  headers(): void {
    this.#hasHeaders = true
    this.#lastByteAt = this.#lastContentAt = this.#windowFrom = this.#options.now()
  }

  bytes(sizeBytes: number, at = this.#options.now()): void {
    this.#noteSilence(at)
    this.#windowBytes += sizeBytes
    this.#lastByteAt = at
  }

  content(): void {
    this.#lastContentAt = this.#lastByteAt
  }

  finished(): void {
    this.#idleMs = Math.min(this.#idleMs, FINISHED_IDLE_MS)
  }

  stop(): void {
    this.#isStopped = true
    clearTimeout(this.#timer)
  }

  get longestSilenceMs(): number {
    return this.#longestSilenceMs
  }

  get silenceMs(): number {
    return this.#isStopped || !this.#hasHeaders ? 0 : this.#options.now() - this.#lastByteAt
  }

  #arm(delayMs: number): void {
    this.#timer = setTimeout(look, Math.max(1, Math.ceil(delayMs)), this)
  }

  look(): void {
    const now = this.#options.now()
    this.#nextWindow(now)
    const [reason, at, afterMs] = this.#due()
    if (now < at) this.#arm(Math.min(this.#lookMs, at - now))
    else {
      this.#noteSilence(now)
      this.stop()
      this.#options.onExpire(reason, afterMs)
    }
  }

  #noteSilence(at: number): void {
    const silenceMs = at - this.#lastByteAt
    if (silenceMs > this.#longestSilenceMs) this.#longestSilenceMs = silenceMs
  }

  /** A window in which enough came is followed by another one. */
  #nextWindow(now: number): void {
    const isOver = now >= this.#windowFrom + this.#windowMs
    if (!isOver || this.#windowBytes < this.#floorBytes) return
    this.#windowFrom = now
    this.#windowBytes = 0
  }

  #due(): Due {
    const { headersMs, firstContentMs, totalMs } = this.#options.timeouts
    const total: Due = ['timeout_total', this.#startedAt + totalMs, totalMs]
    if (this.#hasHeaders) {
      const stall: Due = ['stall', this.#lastByteAt + this.#idleMs, this.#idleMs]
      const content: Due = ['timeout_first_content', this.#lastContentAt + firstContentMs, firstContentMs]
      const floor: Due = ['stall', this.#windowFrom + this.#windowMs, this.#windowMs]
      return earliest(earliest(total, stall), earliest(content, floor))
    }
    return Number.isNaN(this.#sentAt)
      ? total
      : earliest(total, ['timeout_headers', this.#sentAt + headersMs, headersMs])
  }
}

/** Handed to the timer with its deadlines, so that no attempt needs a function of its own. */
function look(deadlines: AttemptDeadlines): void {
  deadlines.look()
}

function earliest(a: Due, b: Due): Due {
  return b[1] < a[1] ? b : a
}
