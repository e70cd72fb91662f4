import { loadConfig } from '../../src/config/load.ts'
import { openBackend, type QueueBackend } from '../../src/queue/backend.ts'
import { clientOn, type TurnClient } from '../../src/queue/client/client.ts'
import type { Agent } from '../../src/runtime/agent.ts'
import type { CallModel } from '../../src/runtime/turn/turn-context.ts'
import type { Lease } from '../../src/runtime/worker/lease.ts'
import { createWakeHandler } from '../../src/runtime/worker/wake-handler.ts'
import { noTelemetry } from '../../src/telemetry/none.ts'

export { type Scripted, scriptedModel } from '../../src/testing/scripted-model.ts'

export type ScriptedWorker = {
  readonly backend: QueueBackend
  readonly client: TurnClient
  readonly leases: Map<string, Lease>
  readonly leaving: AbortController
  readonly stopped: AbortController
  /** Handles one wake-up of the turn's session, as BullMQ would deliver it. */
  wake(turnId: string, wakeup?: string): Promise<void>
  close(): Promise<void>
}

/** A worker without BullMQ: wake-ups are delivered by hand, so each test decides what happens when. */
export async function openScriptedWorker(
  redisUrl: string,
  agents: readonly Agent[],
  callModel: CallModel,
  { leaseMs = 10_000, name = 'w1', prefix = 'test', queue = {} as object } = {},
): Promise<ScriptedWorker> {
  const config = await loadConfig({ redis: { url: redisUrl, prefix, durability: 'none' }, queue })
  const backend = await openBackend(config)
  const leaving = new AbortController()
  const stopped = new AbortController()
  const leases = new Map<string, Lease>()
  const handle = createWakeHandler({
    backend,
    agents: new Map(agents.map((agent) => [agent.name, agent])),
    callModel,
    telemetry: noTelemetry,
    worker: name,
    queue: 'turns',
    leaseMs,
    leases,
    isGone: () => false,
    leaving: leaving.signal,
    stopped: stopped.signal,
  })
  return {
    backend,
    client: clientOn(backend, { queue: 'turns', telemetry: noTelemetry }),
    leases,
    leaving,
    stopped,
    wake: (turnId, wakeup = 'job') => handle({ turnId, id: wakeup }),
    close: () => backend.close(),
  }
}
