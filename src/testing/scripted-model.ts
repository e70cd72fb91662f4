import type { TurnkeeperError } from '../errors.ts'
import { createCollector } from '../providers/collect.ts'
import type { ModelRequest, PartSink, StreamPart } from '../providers/types.ts'
import type { Json } from '../queue/types.ts'
import type { CallModel } from '../runtime/turn/turn-context.ts'

/** A tool call that the model makes; without an `id` it gets `call_1`, `call_2`, … */
export type ScriptedCall = { readonly id?: string; readonly name: string; readonly input: Json }

/** One answer of a scripted model: text, tool calls, an error, or a function that makes one of the request. */
export type Scripted =
  | {
      readonly text?: string
      readonly calls?: readonly ScriptedCall[]
      /** Text of an attempt that breaks off after it: readers are told to discard it. */
      readonly restartAfter?: string
    }
  | { readonly fails: TurnkeeperError }
  | ((request: ModelRequest, signal: AbortSignal) => Promise<Scripted> | Scripted)

export type ScriptedModel = {
  readonly call: CallModel
  /** What it was asked, in order. */
  readonly requests: readonly ModelRequest[]
}

/** A model that says what it is told to say, in order, and remembers what it was asked. */
export function scriptedModel(...script: readonly Scripted[]): ScriptedModel {
  const requests: ModelRequest[] = []
  const waiting = [...script]
  let calls = 0
  const call: CallModel = async (request, emit, { signal, onRestart }) => {
    requests.push(structuredClone(request))
    let next = waiting.shift() ?? { text: 'nothing more was scripted' }
    while (typeof next === 'function') next = await next(request, signal)
    if ('fails' in next) {
      emit({ type: 'error', error: next.fails, partial: createCollector('sim/m').answer() })
      return { attempts: [] }
    }
    if (next.restartAfter !== undefined) {
      emit(start('bad/m'))
      emit({ type: 'text', delta: next.restartAfter })
      onRestart('truncated_stream')
    }
    const numbered = (next.calls ?? []).map(({ id = `call_${++calls}`, ...rest }) => ({ id, ...rest }))
    say(emit, next.text ?? '', numbered)
    return { attempts: [{ route: 'sim/m', outcome: 'ok', durationMs: 1 }] }
  }
  return { call, requests }
}

function say(emit: PartSink, text: string, calls: readonly Required<ScriptedCall>[]): void {
  emit(start('sim/m'))
  for (const delta of text.split(/(?<= )/)) if (delta !== '') emit({ type: 'text', delta })
  for (const [index, { id, name, input }] of calls.entries()) {
    emit({ type: 'tool_call', index, id, name, input })
  }
  emit({
    type: 'usage',
    inputTokens: 10,
    outputTokens: 5,
    totalTokens: 15,
    cachedInputTokens: null,
    reasoningTokens: null,
  })
  emit({ type: 'finish', reason: calls.length > 0 ? 'tool_calls' : 'stop', rawReason: null })
}

function start(route: string): StreamPart {
  return { type: 'start', requestId: null, model: 'm', route }
}
