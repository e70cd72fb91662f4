/**
 * Response events, or one whole response, to parts.
 *
 * S1. The last event holds the whole response: it decides how the answer ended, whatever came before.
 * S2. A failed or cancelled response, and an `error` event, are errors; an incomplete one is an answer.
 * S3. A stream without `response.completed`, `.incomplete` or `.failed` was truncated, even with `[DONE]`
 *     (ollama#17118).
 * S4. Of several responses in one stream (a proxy that runs its own tools) the last one is the answer, so the
 *     end of the stream is waited for.
 * S5. llama.cpp says `completed` when the tokens ran out as well; a last call that stops short tells the truth.
 */

import { asObject, asText, type JsonObject } from '../../narrow.ts'
import type { FinishReason, PartSink, Usage } from '../../types.ts'
import type { AnswerMapper, Ending, Mapped, MapperContext } from '../protocol.ts'
import { createToolAssembler } from '../tool-calls.ts'
import {
  beginItem,
  createSaidItems,
  type DeltaKind,
  fillCall,
  finishItem,
  finishOutput,
  growCall,
  itemKey,
  restartItems,
  type SaidItems,
  sayDelta,
  sayWhole,
} from './items.ts'
import { itemsToSignature } from './reasoning-items.ts'
import { usageOf } from './usage.ts'

/** What has been read of the answer: the mapper itself, whose first three fields are what others see of it. */
type State = {
  model: string | null
  responseId: string | null
  finished: boolean
  status: string | undefined
  /** Why it is incomplete, where it says so. */
  incomplete: string | undefined
  usage: Usage | undefined
  readonly items: SaidItems
}

const FINISH_REASONS: Readonly<Record<string, FinishReason>> = {
  completed: 'stop',
  complete: 'stop',
  max_output_tokens: 'length',
  max_tokens: 'length',
  length: 'length',
  content_filter: 'content_filter',
}

/** Deltas of what is said, and the field in which their event tells the parts of an item apart. */
const DELTAS: Readonly<
  Record<string, { readonly kind: DeltaKind; readonly part: string; readonly at: string }>
> = {
  'response.output_text.delta': { kind: 'text', part: '', at: '' },
  'response.refusal.delta': { kind: 'refusal', part: '', at: '' },
  'response.reasoning_summary_text.delta': { kind: 'reasoning', part: 'summary', at: 'summary_index' },
  'response.reasoning_text.delta': { kind: 'reasoning', part: 'content', at: 'content_index' },
}

/** The mapper of one answer. */
export function createResponsesMapper(emit: PartSink, context: MapperContext): AnswerMapper {
  const { toolArgumentBytes: maxBytes, newId } = context
  const state: State & AnswerMapper = {
    model: null,
    responseId: null,
    finished: false,
    status: undefined,
    incomplete: undefined,
    usage: undefined,
    items: createSaidItems(createToolAssembler(emit, { maxBytes, newId })),
    event: (json, name) => mapEvent(state, { json, name }, emit),
    body: (json) => mapBody(state, json, emit),
    end: () => endAnswer(state, emit),
  }
  return state
}

type NamedEvent = { readonly json: unknown; readonly name: string | undefined }

function mapEvent(state: State, { json, name }: NamedEvent, emit: PartSink): Mapped {
  const event = asObject(json)
  if (event === undefined) return { type: 'error', body: json }
  const type = asText(event.type) ?? name
  const key = itemKey(state.items, event)
  switch (type) {
    case 'response.created':
      if (state.finished) restart(state)
      return mapOther(state, { type, key, event }, emit)
    case 'response.output_item.added':
      return beginItem(state.items, key, asObject(event.item))
    case 'response.output_item.done':
      return finishItem(state.items, { key, item: asObject(event.item) }, emit)
    case 'response.function_call_arguments.delta':
    case 'response.custom_tool_call_input.delta':
      return growCall(state.items, key, asText(event.delta))
    case 'response.function_call_arguments.done':
      return fillCall(state.items, key, asText(event.arguments))
    case 'response.custom_tool_call_input.done':
      return fillCall(state.items, key, asText(event.input))
    case 'response.output_text.done':
      sayWhole(state.items, { kind: 'text', key, part: '', delta: asText(event.text) ?? '' }, emit)
      return undefined
    case 'response.completed':
    case 'response.done':
    case 'response.incomplete':
    case 'response.failed':
    case 'response.cancelled':
      return endResponse(state, { response: asObject(event.response) ?? event, type }, emit)
    case 'error':
      return { type: 'error', body: json }
    default:
      return mapOther(state, { type, key, event }, emit)
  }
}

function restart(state: State): void {
  state.finished = false
  state.model = state.responseId = null
  state.usage = undefined
  restartItems(state.items)
}

type OtherEvent = { readonly type: string | undefined; readonly key: string; readonly event: JsonObject }

function mapOther(state: State, { type, key, event }: OtherEvent, emit: PartSink): Mapped {
  const delta = type === undefined ? undefined : DELTAS[type]
  if (delta !== undefined) {
    const part = `${delta.part}${Number(event[delta.at] ?? 0)}`
    sayDelta(state.items, { kind: delta.kind, key, part, delta: asText(event.delta) ?? '' }, emit)
    return undefined
  }
  const response = asObject(event.response)
  if (response !== undefined) noteResponse(state, response)
  // An error without its name, and a whole response where events were asked for.
  else if (!type?.startsWith('response.') && event.error != null) return { type: 'error', body: event }
  else if (event.object === 'response') return mapBody(state, event, emit)
  return undefined
}

function mapBody(state: State, json: unknown, emit: PartSink): Mapped {
  const response = asObject(json)
  if (response === undefined) return { type: 'error', body: json }
  if (Array.isArray(response.output)) return endResponse(state, { response, type: undefined }, emit)
  const says = response.error ?? response.message ?? response.detail
  if (says != null) return { type: 'error', body: json }
  return { type: 'invalid', reason: 'server_error', message: 'the answer holds no output' }
}

type WholeResponse = { readonly response: JsonObject; readonly type: string | undefined }

function endResponse(state: State, { response, type }: WholeResponse, emit: PartSink): Mapped {
  noteResponse(state, response)
  state.status = asText(response.status) ?? type?.replace('response.', '')
  state.incomplete = asText(asObject(response.incomplete_details)?.reason)
  const mapped = finishOutput(state.items, response.output, emit)
  const hasFailed = state.status === 'failed' || state.status === 'cancelled'
  if (hasFailed || response.error != null) return { type: 'error', body: errorOf(response) }
  state.finished = true
  return mapped
}

function errorOf({ error, status }: JsonObject): unknown {
  return error == null ? { error: { message: `the response is ${status}` } } : { error }
}

function noteResponse(state: State, response: JsonObject): void {
  state.model = asText(response.model) ?? state.model
  state.responseId ??= asText(response.id) ?? null
  state.usage = usageOf(response.usage) ?? state.usage
}

function endAnswer(state: State, emit: PartSink): Ending {
  const { items, usage } = state
  if (!state.finished) return { type: 'truncated' }
  const signature = itemsToSignature([...items.reasoning.values()])
  if (signature !== undefined) emit({ type: 'reasoning', delta: '', signature })
  const bad = items.tools.flush(state.status === 'incomplete')
  if (bad !== undefined && !bad.isCut) {
    const message = `the arguments of a tool call are not JSON (${bad.unreadable})`
    return { type: 'invalid', reason: 'invalid_tool_arguments', message }
  }
  if (usage !== undefined) emit({ type: 'usage', ...usage })
  const reason = bad === undefined ? finishReasonOf(state) : 'length'
  const rawReason = state.incomplete ?? state.status ?? null
  emit({ type: 'finish', reason, rawReason, ...(items.refusal !== '' && { refusal: items.refusal }) })
  return { type: 'complete' }
}

function finishReasonOf({ status, incomplete, items }: State): FinishReason {
  const raw = incomplete ?? status
  const reason = raw === undefined ? 'other' : (FINISH_REASONS[raw] ?? 'other')
  if (reason !== 'stop') return reason
  if (items.tools.started) return 'tool_calls'
  return items.refusal === '' ? reason : 'refusal'
}
