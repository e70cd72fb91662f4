import { loadConfig } from '../../src/config/load.ts'
import type { TurnkeeperError } from '../../src/errors.ts'
import { createCollector } from '../../src/providers/collect.ts'
import type { ModelRequest, StreamPart, ToolCall } from '../../src/providers/types.ts'
import { openBackend, type QueueBackend } from '../../src/queue/backend.ts'
import { clientOn, type TurnClient } from '../../src/queue/client.ts'
import type { Agent } from '../../src/runtime/agent.ts'
import type { Lease } from '../../src/runtime/lease.ts'
import type { CallModel } from '../../src/runtime/turn-context.ts'
import { createWakeHandler } from '../../src/runtime/wake-handler.ts'
import { noTelemetry } from '../../src/telemetry/none.ts'

/** One answer of a scripted model: text, tool calls, an error, or a function that makes one of the request. */
export type Scripted =
  | { readonly text?: string; readonly calls?: readonly ToolCall[]; readonly restartAfter?: string }
  | { readonly fails: TurnkeeperError }
  | ((request: ModelRequest, signal: AbortSignal) => Promise<Scripted> | Scripted)

/** A model that says what it is told to say, in order, and remembers what it was asked. */
export function scriptedModel(...script: Scripted[]): { call: CallModel; requests: ModelRequest[] } {
  const requests: ModelRequest[] = []
  const call: CallModel = async (request, emit, { signal, onRestart }) => {
    requests.push(structuredClone(request))
    let next = script.shift() ?? { text: 'nothing more was scripted' }
    while (typeof next === 'function') next = await next(request, signal)
    if ('fails' in next) {
      const collector = createCollector('sim/m')
      emit({ type: 'error', error: next.fails, partial: collector.answer() })
      return { attempts: [] }
    }
    const say = (part: StreamPart): void => emit(part)
    if (next.restartAfter !== undefined) {
      say({ type: 'start', requestId: null, model: 'm', route: 'bad/m' })
      say({ type: 'text', delta: next.restartAfter })
      onRestart('truncated_stream')
    }
    say({ type: 'start', requestId: null, model: 'm', route: 'sim/m' })
    for (const delta of (next.text ?? '').split(/(?<= )/)) if (delta !== '') say({ type: 'text', delta })
    for (const [index, { id, name, input }] of (next.calls ?? []).entries()) {
      say({ type: 'tool_call', index, id, name, input })
    }
    say({
      type: 'usage',
      inputTokens: 10,
      outputTokens: 5,
      totalTokens: 15,
      cachedInputTokens: null,
      reasoningTokens: null,
    })
    say({ type: 'finish', reason: next.calls ? 'tool_calls' : 'stop', rawReason: null })
    return { attempts: [{ route: 'sim/m', outcome: 'ok', durationMs: 1 }] }
  }
  return { call, requests }
}

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
  { leaseMs = 10_000, name = 'w1', prefix = 'test' } = {},
): Promise<ScriptedWorker> {
  const config = await loadConfig({ redis: { url: redisUrl, prefix, durability: 'none' } })
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
