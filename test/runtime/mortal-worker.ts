import type { QueueBackend } from '../../src/queue/backend.ts'
import type { Journal } from '../../src/queue/journal.ts'
import type { Agent } from '../../src/runtime/agent.ts'
import type { CallModel } from '../../src/runtime/turn/turn-context.ts'
import { createWakeHandler } from '../../src/runtime/worker/wake-handler.ts'
import { noTelemetry } from '../../src/telemetry/none.ts'

/**
 * The life of a worker inside this process. Each await of it is two points: before the work, and after it has been
 * done and before anybody hears of it. At its last point, and at all that would follow, the worker falls silent:
 * nothing of it resolves any more, as after kill -9.
 */
export type Life = {
  pass<T>(work: () => Promise<T>): Promise<T>
  readonly died: Promise<void>
  /** Points that it has come by. */
  readonly points: () => number
}

/** A life that ends at its `last` point, counted from 1. */
export function createLife(last: number): Life {
  const died = Promise.withResolvers<void>()
  const silence = new Promise<never>(() => {})
  let count = 0
  const isOver = (): boolean => {
    if (count < last) count++
    if (count === last) died.resolve()
    return count === last
  }
  return {
    async pass(work) {
      if (isOver()) return silence
      const result = await work()
      return isOver() ? silence : result
    },
    died: died.promise,
    points: () => count,
  }
}

export type MortalOptions = {
  readonly backend: QueueBackend
  readonly agents: readonly Agent[]
  readonly callModel: CallModel
  readonly life: Life
}

/** Handles one wake-up of a turn's session until it is done or the worker has died. */
export async function wakeMortal(
  turnId: string,
  { backend, agents, callModel, life }: MortalOptions,
): Promise<void> {
  const handle = createWakeHandler({
    backend: { ...backend, journal: mortalJournal(backend.journal, life), wakeQueue: silentQueue(life) },
    agents: new Map(agents.map((agent) => [agent.name, agent])),
    callModel: (...call) => life.pass(() => callModel(...call)),
    telemetry: noTelemetry,
    worker: 'mortal',
    queue: 'turns',
    leaseMs: 30_000,
    leases: new Map(),
    isGone: () => false,
    leaving: new AbortController().signal,
    stopped: new AbortController().signal,
  })
  await Promise.race([handle({ turnId, id: 'redelivered' }), life.died])
}

function mortalJournal(journal: Journal, life: Life): Journal {
  const methods = Object.entries(journal) as [string, (...args: unknown[]) => Promise<unknown>][]
  const mortal = methods.map(([name, method]) => [
    name,
    (...args: unknown[]) => life.pass(() => method.apply(journal, args)),
  ])
  return {
    ...(Object.fromEntries(mortal) as Journal),
    relay(claim, step) {
      const write = journal.relay(claim, step)
      return (events) => life.pass(() => write(events))
    },
  }
}

/** Wake-ups are delivered by the test. */
function silentQueue(life: Life): QueueBackend['wakeQueue'] {
  return {
    wake: () => life.pass(async () => {}),
    wakeAll: () => life.pass(async () => {}),
    attention: async () => 'none',
    close: async () => {},
  }
}
