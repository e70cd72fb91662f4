import { TurnkeeperError } from '../errors.ts'
import { answering } from '../redis/answering.ts'
import { sessionIdOf, sessionKeys, sessionOfTurn } from '../redis/keys.ts'
import type { QueueBackend } from './backend.ts'
import { type EventSource, type ReadOptions, readEvents } from './events.ts'
import { isTerminal, noUsage, type TurnEvent, type TurnRecord, type TurnResult } from './types.ts'
import { createWakener } from './wakener.ts'

export type WaitOptions = {
  /** Default: as long as it takes. */
  readonly timeoutMs?: number
  readonly signal?: AbortSignal
}

/** A turn in the hands of application code; it can be made anew from the id in any process. */
export type TurnHandle = AsyncIterable<TurnEvent> & {
  readonly id: string
  readonly sessionId: string
  /** The turn's events; ends after a terminal one or `turn.needs_review`. */
  events(options?: ReadOptions): AsyncIterable<TurnEvent>
  /**
   * Resolves when the turn has ended or waits for a review, however it ended: look at `status`.
   * @throws TurnkeeperError `queue/result_timeout`, `turn/cancelled` when `signal` aborts the waiting,
   *   `turn/unknown_turn`, or `queue/redis_unavailable`.
   */
  result(options?: WaitOptions): Promise<TurnResult>
  /** The turn as it stands. */
  read(): Promise<TurnRecord>
  /**
   * Cancels the turn from wherever this is called: at once if nobody runs it, else as soon as its worker hears of it,
   * which aborts the running tools. A turn that has ended stays as it is.
   * @throws TurnkeeperError `turn/unknown_turn` or `queue/redis_unavailable`.
   */
  cancel(reason?: string): Promise<void>
}

/** What a handle works on: a part of the queue's backend. */
export type HandleSource = EventSource & Pick<QueueBackend, 'control' | 'wakeQueue'>

/** How often a waiting caller looks without having been told to. */
const LOOK_AGAIN_MS = 1_000

/**
 * A handle on `turnId`; asks nothing of Redis yet.
 * @throws TurnkeeperError `turn/unknown_turn` for text that is not a turn id.
 */
export function turnHandle(source: HandleSource, turnId: string): TurnHandle {
  const session = sessionOfTurn(turnId)
  const { channel } = sessionKeys(source.prefix, session).turn(turnId)

  const read = async (): Promise<TurnRecord> => {
    const record = await answering(source.journal.read(turnId))
    if (!record) throw new TurnkeeperError('unknown_turn', `no turn ${turnId} is kept`)
    return record
  }
  const events = (options?: ReadOptions): AsyncIterable<TurnEvent> => readEvents(source, turnId, options)

  return {
    id: turnId,
    sessionId: sessionIdOf(session),
    events,
    read,
    [Symbol.asyncIterator]: () => events()[Symbol.asyncIterator](),
    async cancel(reason = 'cancelled by the caller') {
      const turn = await read()
      const cancelled = await answering(source.control.cancel(turn, reason, cancelledResult(turn, reason)))
      if (cancelled.outcome !== 'cancelled') return
      const { following } = cancelled
      if (following.kind === 'turn') await source.wakeQueue.wake(following.turnId).catch(() => {})
    },
    async result({ timeoutMs = Number.POSITIVE_INFINITY, signal } = {}) {
      const deadline = performance.now() + timeoutMs
      const wakener = createWakener()
      const leave = source.subscriptions.listen(channel, wakener.wake)
      try {
        for (;;) {
          const { state, result } = await read()
          if (result && (isTerminal(state) || state === 'needs_review')) return result
          if (signal?.aborted) throw new TurnkeeperError('cancelled', 'waiting for the result was aborted')
          const left = deadline - performance.now()
          if (left <= 0) {
            throw new TurnkeeperError(
              'result_timeout',
              `the turn is still ${state} after ${timeoutMs} ms; it goes on`,
            )
          }
          await wakener.wait(Math.min(left, LOOK_AGAIN_MS), signal)
        }
      } finally {
        leave()
      }
    },
  }
}

/** What a turn ends with that was cancelled while nobody ran it. */
function cancelledResult({ id, sessionId }: TurnRecord, reason: string): TurnResult {
  return {
    id,
    sessionId,
    status: 'cancelled',
    text: '',
    steps: [],
    usage: noUsage,
    costUsd: null,
    finishReason: null,
    routes: [],
    error: new TurnkeeperError('cancelled', reason).toJSON(),
  }
}
