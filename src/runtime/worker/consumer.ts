/**
 * The worker's consumer of wake-ups, kept listening. After an outage a fetch loop can hang while its process and its
 * other connections are well: such a worker looks alive and does nothing.
 *
 *   listening → deaf (its loop is opened anew) → listening
 *                 └→ deaf again → deaf a third time → lost (the process is no use and should end)
 *
 * F1. A sign of hearing is a fetch that was answered, or a wake-up that began or ended here.
 * F2. Four checks in a row without a sign mean deaf; a check counts only while there is room for a turn and Redis
 *     answers on another connection. Checks are counted, not seconds: a process that was stopped is not deaf.
 * F3. The new consumer works beside the old one, whose running turns go on to their end.
 */

import { setTimeout as sleep } from 'node:timers/promises'
import { TurnkeeperError } from '../../errors.ts'
import type { WakeWorker } from '../../queue/bullmq.ts'
import type { Log } from '../../telemetry/telemetry.ts'

export type Consumer = {
  isDeaf(): boolean
  /** Stops fetching; resolves when the running wake-ups have ended, or after `patienceMs`. */
  close(patienceMs: number): Promise<void>
}

export type ConsumerOptions = {
  /** Starts fetching on connections of its own. */
  readonly open: (onSign: () => void) => Promise<WakeWorker>
  /** Whether all places are taken: then nothing is fetched, and rightly so. */
  readonly isFull: () => boolean
  /** Whether Redis answers, as seen on another connection. */
  readonly answers: () => Promise<boolean>
  readonly log: Log
  /** Called once, when opening it anew has not helped. */
  readonly onLost: (error: TurnkeeperError) => void
  /** Default 5,000: a fetch of an idle queue takes up to 11 s. */
  readonly checkMs?: number
}

const CHECKS = 4
const RESTARTS = 2

/** Opens a consumer and watches over it. */
export async function openConsumer(options: ConsumerOptions): Promise<Consumer> {
  const { open, isFull, answers, log, onLost, checkMs = 5_000 } = options
  const stop = new AbortController()
  const opened: WakeWorker[] = []
  let heard = 0
  let isDeaf = false
  const openOne = async (): Promise<void> => {
    const worker = await open(() => heard++)
    opened.push(worker)
    if (stop.signal.aborted) await worker.close() // it came too late
  }
  await openOne()

  const restart = async (attempt: number): Promise<void> => {
    isDeaf = true
    if (attempt === 1) {
      log.error(
        { checks: CHECKS, check_ms: checkMs },
        'this worker is deaf: it fetches nothing; its consumer is opened anew',
      )
    }
    opened
      .at(-1)
      ?.close()
      .catch(() => {}) // F3: it ends when its turns do
    // What fails or hangs here leaves the worker as deaf as before: the next checks decide.
    const opening = openOne().catch(() => {})
    await Promise.race([opening, sleep(checkMs, undefined, { signal: stop.signal }).catch(() => {})])
  }
  const watching = (async () => {
    let known = heard
    let silent = 0
    let restarts = 0
    while (!stop.signal.aborted) {
      await sleep(checkMs, undefined, { signal: stop.signal }).catch(() => {})
      if (stop.signal.aborted || !(await answers())) continue
      if (heard !== known || isFull()) {
        if (heard !== known && isDeaf) log.info({}, 'this worker hears again')
        if (heard !== known) [isDeaf, restarts] = [false, 0]
        known = heard
        silent = 0
        continue
      }
      if (++silent < CHECKS) continue
      silent = 0
      if (restarts === RESTARTS) return onLost(lost())
      await restart(++restarts)
    }
  })()
  return {
    isDeaf: () => isDeaf,
    async close(patienceMs) {
      stop.abort()
      await watching
      const patience = new AbortController()
      await Promise.race([
        Promise.allSettled(opened.map((worker) => worker.close())),
        sleep(patienceMs, undefined, { signal: patience.signal }).catch(() => {}),
      ])
      patience.abort()
    },
  }
}

function lost(): TurnkeeperError {
  return new TurnkeeperError(
    'deaf',
    `this worker fetches nothing, and opening its consumer anew ${RESTARTS} times did not help; let it be started again`,
  )
}
