import { TurnkeeperError } from '../../errors.ts'
import { answering } from '../../redis/answering.ts'
import { sessionIdOf, sessionKeys, sessionOfTurn } from '../../redis/keys.ts'
import type { QueueBackend } from '../backend.ts'
import { mayEnd } from '../events/announcements.ts'
import { type EventSource, type Queued, type ReadOptions, readEvents } from '../events/events.ts'
import { createWakener } from '../events/wakener.ts'
import { isTerminal, noUsage, type TurnEvent, type TurnRecord, type TurnResult } from '../types.ts'
import type { Decider } from './decisions.ts'
import { readDetails, type TurnDetails } from './details.ts'

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
  cancel(reason?: string, options?: { readonly by?: string }): Promise<void>
  /** The turn as it stands, with the calls that wait for a person, and what people have decided. */
  details(): Promise<TurnDetails>
  /**
   * Enqueues a turn that has failed again: as a new turn of the session, with the same input and options, which takes
   * over the finished steps. A tool that has run is not run again; an unsafe one whose outcome is unknown is still
   * reviewed first. A turn is retried once: a repeated call gives the same turn, and that one may be retried.
   * @throws TurnkeeperError `turn/unknown_turn`, `turn/not_failed`, or `queue/redis_unavailable`.
   */
  retry(options?: Partial<Decider>): Promise<TurnHandle>
}

/** What a handle works on: a part of the queue's backend. */
export type HandleSource = EventSource & Pick<QueueBackend, 'control' | 'audit' | 'wakeQueue'>

/** Who decides where nobody says who. */
const NOBODY = 'application'

/** How often a waiting caller looks without having been told to. */
const LOOK_AGAIN_MS = 1_000

/**
 * A handle on `turnId`; asks nothing of Redis yet. `queued` is what is known of the turn's acceptance, if anything.
 * @throws TurnkeeperError `turn/unknown_turn` for text that is not a turn id.
 */
export function turnHandle(source: HandleSource, turnId: string, queued?: Queued): TurnHandle {
  const session = sessionOfTurn(turnId)
  const { channel } = sessionKeys(source.prefix, session).turn(turnId)

  const read = async (): Promise<TurnRecord> => {
    const record = await answering(source.journal.read(turnId))
    if (!record) throw unknownTurn(turnId)
    return record
  }
  const events = (options?: ReadOptions): AsyncIterable<TurnEvent> =>
    readEvents(source, turnId, options, queued)

  return {
    id: turnId,
    sessionId: sessionIdOf(session),
    events,
    read,
    [Symbol.asyncIterator]: () => events()[Symbol.asyncIterator](),
    async cancel(reason = 'cancelled by the caller', { by = NOBODY } = {}) {
      const turn = await read()
      const cancelled = await answering(source.control.cancel(turn, reason, cancelledResult(turn, reason)))
      if (cancelled.outcome === 'cancelled' && cancelled.following.kind === 'turn') {
        await source.wakeQueue.wake(cancelled.following.turnId).catch(() => {})
      }
      if (cancelled.outcome === 'cancelled' || cancelled.outcome === 'requested') {
        await answering(source.audit.record({ by, action: 'cancel', turnId, reason }))
      }
    },
    details: async () => answering(readDetails(source, await read())),
    async retry({ by = NOBODY, reason } = {}) {
      const { options } = await read()
      const retried = await answering(source.control.retry(turnId, options.priority ?? 0))
      if (retried.outcome === 'unknown') throw unknownTurn(turnId)
      if (retried.outcome === 'not_failed') {
        throw new TurnkeeperError(
          'not_failed',
          `only a failed turn can be retried: this one is ${retried.state}`,
        )
      }
      // The journal has the new turn: if this hint is lost, the reconciler gives it.
      await source.wakeQueue.wake(retried.turnId).catch(() => {})
      if (retried.outcome === 'retried') {
        const { turnId: retriedAs } = retried
        await answering(
          source.audit.record({
            by,
            action: 'retry',
            turnId,
            retriedAs,
            ...(reason !== undefined && { reason }),
          }),
        )
      }
      return turnHandle(source, retried.turnId)
    },
    async result({ timeoutMs = Number.POSITIVE_INFINITY, signal } = {}) {
      const deadline = performance.now() + timeoutMs
      const wakener = createWakener()
      const leave = source.subscriptions.listen(channel, (message) => {
        if (mayEnd(message)) wakener.wake()
      })
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

function unknownTurn(turnId: string): TurnkeeperError {
  return new TurnkeeperError('unknown_turn', `no turn ${turnId} is kept`)
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
