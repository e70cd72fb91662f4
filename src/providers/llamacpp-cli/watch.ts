import { TurnkeeperError, toTurnkeeperError } from '../../errors.ts'
import { type DeadlineReason, startDeadlines } from '../attempt/deadlines.ts'
import type { Timeouts } from '../types.ts'

/** What may end an attempt from outside its process: timers, the caller's signal, a fault of ours. The first counts. */
export type Watch = {
  readonly failure: TurnkeeperError | undefined
  readonly hasContent: boolean
  /** The longest silence after the first content, in milliseconds. */
  readonly idleMs: number
  bytes(): void
  content(): void
  fail(error: TurnkeeperError): void
  /** Runs `work`; what it throws is the failure. */
  guard(work: () => void): void
  /** Called at the failure; at once if it was before. */
  onFailure(handler: () => void): void
  [Symbol.dispose](): void
}

/** Starts all timers now. Nothing is said about the time before the first content but how long it may be. */
export function startWatch(timeouts: Timeouts, signal: AbortSignal | undefined): Watch {
  let failure: TurnkeeperError | undefined
  let hasContent = false
  let onFailure: (() => void) | undefined
  const fail = (error: TurnkeeperError): void => {
    if (failure !== undefined) return
    failure = error
    onFailure?.()
  }
  const deadlines = startDeadlines({
    timeouts: { ...timeouts, headersMs: timeouts.firstContentMs },
    now: () => performance.now(),
    // A process prints bare words: a token a second of them is 4 bytes, and slow hardware is no fault.
    floorBytesPerSecond: 0,
    onExpire: (reason, afterMs) => fail(expired(reason, afterMs)),
  })
  const onAbort = (): void => fail(cancelled())
  signal?.addEventListener('abort', onAbort, { once: true })
  if (signal?.aborted) onAbort()
  deadlines.sent()
  return {
    get failure() {
      return failure
    },
    get hasContent() {
      return hasContent
    },
    get idleMs() {
      return deadlines.longestSilenceMs
    },
    bytes() {
      if (hasContent) deadlines.bytes(0)
    },
    content() {
      if (!hasContent) deadlines.headers()
      hasContent = true
      deadlines.content()
    },
    fail,
    guard(work) {
      try {
        work()
      } catch (error) {
        fail(toTurnkeeperError(error))
      }
    },
    onFailure(handler) {
      onFailure = handler
      if (failure !== undefined) handler()
    },
    [Symbol.dispose]() {
      deadlines.stop()
      signal?.removeEventListener('abort', onAbort)
    },
  }
}

/** The error of an attempt that its caller called off. */
export function cancelled(): TurnkeeperError {
  return new TurnkeeperError('cancelled', 'the model call was cancelled')
}

const EXPIRED: Readonly<Record<DeadlineReason, string>> = {
  timeout_headers: 'no content',
  timeout_first_content: 'no content',
  stall: 'no output',
  timeout_total: 'no end of the answer',
}

function expired(reason: DeadlineReason, afterMs: number): TurnkeeperError {
  const ours = reason === 'timeout_headers' ? 'timeout_first_content' : reason
  return new TurnkeeperError(ours, `${EXPIRED[reason]} from llama-cli for ${afterMs} ms`)
}
