/**
 * Chat completion chunks, or one whole completion, to parts.
 *
 * A1. Only choice 0 is read; further choices are kept apart by leaving them out.
 * A2. An `error` counts wherever it stands (chunk, choice, `finish_reason`), whatever stands beside it.
 * A3. A stream is complete with a finish reason or with `[DONE]`; with neither it was truncated.
 * A4. `usage` comes once, before `finish`: reports in chunks are running totals, so the last one counts.
 */

import { asArray, asObject, asText, type JsonObject } from '../../narrow.ts'
import type { FinishReason, PartSink, Usage } from '../../types.ts'
import type { AnswerMapper, Ending, Mapped, MapperContext } from '../protocol.ts'
import { createToolAssembler, type ToolAssembler, type ToolPiece } from '../tool-calls.ts'
import { contentOf } from './content.ts'
import { detailsToSignature, mergeDetails } from './reasoning-details.ts'
import { latestUsage, usageOf } from './usage.ts'

/** What has been read of the answer: the mapper itself, whose first three fields are what others see of it. */
type State = {
  model: string | null
  responseId: string | null
  finished: boolean
  /** null: not said. Empty: said, but without a reason, which some hosts do in every chunk. */
  rawReason: string | null
  sawChoice: boolean
  isWhole: boolean
  hasContent: boolean
  refusal: string
  usage: Usage | undefined
  details: readonly JsonObject[]
  readonly tools: ToolAssembler
}

const FINISH_REASONS: Readonly<Record<string, FinishReason>> = {
  stop: 'stop',
  eos: 'stop',
  eos_token: 'stop',
  end_turn: 'stop',
  stop_sequence: 'stop',
  length: 'length',
  max_tokens: 'length',
  model_length: 'length',
  tool_calls: 'tool_calls',
  tool_use: 'tool_calls',
  function_call: 'tool_calls',
  content_filter: 'content_filter',
  refusal: 'refusal',
}

/** The mapper of one answer. */
export function createAnswerMapper(emit: PartSink, context: MapperContext): AnswerMapper {
  const { toolArgumentBytes: maxBytes, newId } = context
  const state: State & AnswerMapper = {
    model: null,
    responseId: null,
    finished: false,
    rawReason: null,
    sawChoice: false,
    isWhole: false,
    hasContent: false,
    refusal: '',
    usage: undefined,
    details: [],
    tools: createToolAssembler(emit, { maxBytes, newId }),
    event: (json, name) =>
      name === 'error' && asObject(asObject(json)?.error) === undefined
        ? { type: 'error', body: json }
        : mapChunk(state, json, emit),
    body(json) {
      state.isWhole = true
      return mapChunk(state, json, emit)
    },
    end: (marked) => endAnswer(state, marked, emit),
  }
  return state
}

function mapChunk(state: State, json: unknown, emit: PartSink): Mapped {
  const chunk = asObject(json)
  if (chunk === undefined) return { type: 'error', body: json }
  state.model ??= asText(chunk.model) ?? null
  state.responseId ??= asText(chunk.id) ?? null
  const usage = usageOf(chunk)
  if (usage !== undefined) state.usage = latestUsage(state.usage, usage)

  const choice = firstChoice(chunk)
  const mapped = choice && mapChoice(state, choice, emit)
  if (reportsError(chunk)) return { type: 'error', body: chunk }
  return mapped
}

function mapChoice(state: State, choice: JsonObject, emit: PartSink): Mapped {
  state.sawChoice = true
  const delta = saidBy(state, choice)
  if (delta !== undefined && !mapDelta(state, delta, emit)) {
    return { type: 'invalid', reason: 'invalid_tool_arguments', message: 'tool arguments exceed their limit' }
  }
  if (typeof choice.text === 'string' && delta === undefined) emitText(state, choice.text, emit)
  const reason = choice.finish_reason
  if (typeof reason === 'string') noteReason(state, reason)
  if (choice.error != null) return { type: 'error', body: { error: choice.error } }
  return reason === 'error' ? { type: 'error', body: undefined } : undefined
}

function noteReason(state: State, reason: string): void {
  if (reason === '') state.rawReason ??= ''
  else {
    state.rawReason = reason
    state.finished = true
  }
}

/**
 * The `message` of a whole answer, the `delta` of a chunk. Perplexity sends both everywhere; a chunk with a
 * `message` alone is read unless it only repeats what came in deltas.
 */
function saidBy(state: State, choice: JsonObject): JsonObject | undefined {
  const delta = asObject(choice.delta)
  const message = asObject(choice.message)
  if (state.isWhole) return message ?? delta
  const isRepeat = state.hasContent || state.tools.started
  return delta ?? (isRepeat ? undefined : message)
}

/** False when a tool call outgrew its limit. */
function mapDelta(state: State, delta: JsonObject, emit: PartSink): boolean {
  const { text, reasoning, refusal } = contentOf(delta)
  if (reasoning !== '') {
    state.hasContent = true
    emit({ type: 'reasoning', delta: reasoning })
  }
  if (delta.reasoning_details !== undefined) {
    state.details = mergeDetails(state.details, delta.reasoning_details)
  }
  emitText(state, text, emit)
  state.refusal += refusal
  const calls = delta.tool_calls
  if (!calls && !delta.function_call) return true // most chunks: text alone
  const list = Array.isArray(calls) ? calls : calls ? [calls] : []
  const pieces = list.map((call, position) => {
    const piece = toPiece(call, position, list.length)
    // A whole message holds whole calls: each entry is one, whatever ids they share.
    return piece && state.isWhole ? { ...piece, index: position } : piece
  })
  const legacy = legacyPiece(delta.function_call)
  return [...pieces, legacy].every((piece) => piece === undefined || state.tools.add(piece))
}

function emitText(state: State, delta: string, emit: PartSink): void {
  if (delta === '') return
  state.hasContent = true
  emit({ type: 'text', delta })
}

function toPiece(value: unknown, position: number, count: number): ToolPiece | undefined {
  const call = asObject(value)
  if (call === undefined) return undefined
  const called = asObject(call.function)
  const custom = asObject(call.custom)
  const isCustom = called === undefined && custom !== undefined
  return {
    index: typeof call.index === 'number' ? call.index : undefined,
    id: asText(call.id),
    name: asText(isCustom ? custom.name : called?.name),
    text: argumentsOf(isCustom ? custom.input : called?.arguments),
    position,
    count,
    freeForm: isCustom,
  }
}

/** The single call of the API before `tool_calls`; hosts that fill in every field send it empty. */
function legacyPiece(value: unknown): ToolPiece | undefined {
  const call = asObject(value)
  const name = asText(call?.name)
  const text = argumentsOf(call?.arguments)
  if (name === undefined && text === '') return undefined
  return { index: -1, id: undefined, name, text, position: 0, count: 1, freeForm: false }
}

/** Some hosts send the arguments as an object instead of its JSON. */
function argumentsOf(value: unknown): string {
  if (typeof value === 'string') return value
  return value === null || value === undefined ? '' : JSON.stringify(value)
}

function firstChoice(chunk: JsonObject): JsonObject | undefined {
  const choices = asArray(chunk.choices)
  const first = asObject(choices[0])
  if (first === undefined || (first.index ?? 0) === 0) return first
  return choices.map(asObject).find((choice) => choice?.index === 0)
}

function reportsError(chunk: JsonObject): boolean {
  const { error, choices, detail, message, object } = chunk
  if (error !== undefined && error !== null && error !== false && error !== '') return true
  if (object === 'error') return true
  return choices === undefined && (detail !== undefined || typeof message === 'string')
}

function endAnswer(state: State, marked: boolean, emit: PartSink): Ending {
  const { rawReason, finished, tools, isWhole, sawChoice } = state
  if (!sawChoice) {
    if (!isWhole && !marked) return { type: 'truncated' }
    return { type: 'invalid', reason: 'server_error', message: 'the answer holds no choice' }
  }
  if (!isWhole && !marked && !finished) return { type: 'truncated' }

  const signature = detailsToSignature(state.details)
  if (signature !== undefined) emit({ type: 'reasoning', delta: '', signature })
  const reason = finishReasonOf(state)
  const bad = tools.flush(reason === 'length' || reason === 'content_filter')
  if (bad !== undefined) {
    const message = `the arguments of a tool call are not JSON (${bad.unreadable})`
    return { type: 'invalid', reason: 'invalid_tool_arguments', message }
  }
  if (state.usage !== undefined) emit({ type: 'usage', ...state.usage })
  emit({ type: 'finish', reason, rawReason, ...(state.refusal !== '' && { refusal: state.refusal }) })
  return { type: 'complete' }
}

/** A tool turn is one whatever it calls itself: several hosts say `stop` after tool calls. */
function finishReasonOf({ rawReason, tools, refusal }: State): FinishReason {
  const reason = rawReason ? (FINISH_REASONS[rawReason.toLowerCase()] ?? 'other') : 'other'
  if (tools.started && (reason === 'stop' || reason === 'other')) return 'tool_calls'
  return refusal !== '' && reason === 'stop' ? 'refusal' : reason
}
