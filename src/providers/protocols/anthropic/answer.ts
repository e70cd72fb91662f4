/**
 * Message events, or one whole message, to parts.
 *
 * M1. A whole message is read as the events that would have carried it, so that both give the same parts.
 * M2. Blocks of tools that the server runs, of kinds unknown, and deltas of kinds unknown say nothing to us.
 * M3. A stream is complete with a stop reason or with its end marker; with neither it was truncated.
 */

import { asArray, asObject, asText, type JsonObject } from '../../narrow.ts'
import type { FinishReason, PartSink } from '../../types.ts'
import type { AnswerMapper, Ending, Mapped, MapperContext } from '../protocol.ts'
import { createToolAssembler, type ToolAssembler } from '../tool-calls.ts'
import { blocksToSignature, type ThinkingBlock } from './thinking.ts'
import { countsToUsage, type MessageCounts, mergeCounts } from './usage.ts'

/** A block that is being received. */
type OpenBlock =
  | { readonly type: 'text' }
  | { readonly type: 'thinking'; thinking: string; signature: string }
  /** `whole`: the input that came at once, counted only if no delta follows. */
  | { readonly type: 'tool_use'; readonly whole: string; sawDelta: boolean }

/** What has been read of the answer: the mapper itself, whose first three fields are what others see of it. */
type State = {
  model: string | null
  responseId: string | null
  finished: boolean
  rawReason: string | null
  refusal: string | undefined
  counts: MessageCounts
  sawMessage: boolean
  isWhole: boolean
  readonly open: Map<number, OpenBlock>
  readonly thinking: ThinkingBlock[]
  readonly tools: ToolAssembler
}

const FINISH_REASONS: Readonly<Record<string, FinishReason>> = {
  end_turn: 'stop',
  stop_sequence: 'stop',
  stop: 'stop',
  max_tokens: 'length',
  model_context_window_exceeded: 'length',
  tool_use: 'tool_calls',
  refusal: 'refusal',
}

/** The mapper of one answer. */
export function createMessageMapper(emit: PartSink, context: MapperContext): AnswerMapper {
  const { toolArgumentBytes: maxBytes, newId } = context
  const state: State & AnswerMapper = {
    model: null,
    responseId: null,
    finished: false,
    rawReason: null,
    refusal: undefined,
    counts: {},
    sawMessage: false,
    isWhole: false,
    open: new Map(),
    thinking: [],
    tools: createToolAssembler(emit, { maxBytes, newId }),
    event: (json, name) => mapEvent(state, { json, name }, emit),
    body: (json) => mapBody(state, json, emit),
    end: (marked) => endAnswer(state, marked, emit),
  }
  return state
}

type NamedEvent = { readonly json: unknown; readonly name: string | undefined }

function mapEvent(state: State, { json, name }: NamedEvent, emit: PartSink): Mapped {
  const event = asObject(json)
  if (event === undefined || isError(event, name)) return { type: 'error', body: json }
  switch (asText(event.type) ?? name) {
    case 'message_start':
      return startMessage(state, asObject(event.message), emit)
    case 'content_block_start':
      return startBlock(state, indexOf(event), { block: asObject(event.content_block), emit })
    case 'content_block_delta':
      return mapDelta(state, indexOf(event), { delta: asObject(event.delta), emit })
    case 'content_block_stop':
      return stopBlock(state, indexOf(event), emit)
    case 'message_delta':
      noteEnd(state, asObject(event.delta))
      state.counts = mergeCounts(state.counts, event.usage)
      return undefined
    case 'message_stop':
      return { type: 'done' }
    case 'message':
      return mapBody(state, event, emit)
    default:
      return undefined
  }
}

/** llama.cpp names the event and leaves the error without envelope. */
function isError(event: JsonObject, name: string | undefined): boolean {
  if (event.type === 'error' || name === 'error') return true
  return event.type === undefined && event.error !== undefined && event.error !== null
}

function mapBody(state: State, json: unknown, emit: PartSink): Mapped {
  const message = asObject(json)
  if (message === undefined || !Array.isArray(message.content)) {
    const says = message !== undefined && (message.error ?? message.message ?? message.detail)
    if (message === undefined || says) return { type: 'error', body: json }
    return { type: 'invalid', reason: 'server_error', message: 'the answer holds no content' }
  }
  state.isWhole = true
  const mapped = startMessage(state, message, emit)
  noteEnd(state, message)
  return mapped
}

/** Blocks that a message holds already count as begun and ended. */
function startMessage(state: State, message: JsonObject | undefined, emit: PartSink): Mapped {
  state.sawMessage = true
  state.model ??= asText(message?.model) ?? null
  state.responseId ??= asText(message?.id) ?? null
  state.counts = mergeCounts(state.counts, message?.usage)
  for (const [index, value] of asArray(message?.content).entries()) {
    const mapped = startBlock(state, index, { block: asObject(value), emit }) ?? stopBlock(state, index, emit)
    if (mapped !== undefined) return mapped
  }
  return undefined
}

type BlockStart = { readonly block: JsonObject | undefined; readonly emit: PartSink }

function startBlock(state: State, index: number, { block, emit }: BlockStart): Mapped {
  switch (block?.type) {
    case 'text':
      state.open.set(index, { type: 'text' })
      emitText(asText(block.text), emit)
      return undefined
    case 'thinking': {
      const open = { type: 'thinking' as const, thinking: '', signature: '' }
      state.open.set(index, open)
      return mapThinking(open, block, emit)
    }
    case 'redacted_thinking':
      state.thinking.push({ type: 'redacted_thinking', data: asText(block.data) ?? '' })
      return undefined
    case 'tool_use': {
      const { input } = block
      const isEmpty = typeof input === 'object' && input !== null && Object.keys(input).length === 0
      const whole = input === undefined || input === null || isEmpty ? '' : jsonOf(input)
      state.open.set(index, { type: 'tool_use', whole, sawDelta: false })
      return addToTool(state, index, { id: asText(block.id), name: asText(block.name), text: '' })
    }
    default:
      return undefined
  }
}

/** Some proxies send the input as its JSON. */
function jsonOf(input: unknown): string {
  return typeof input === 'string' ? input : JSON.stringify(input)
}

type BlockDelta = { readonly delta: JsonObject | undefined; readonly emit: PartSink }

function mapDelta(state: State, index: number, { delta, emit }: BlockDelta): Mapped {
  const open = state.open.get(index)
  switch (open?.type) {
    case 'text':
      emitText(asText(delta?.text), emit)
      return undefined
    case 'thinking':
      return mapThinking(open, delta, emit)
    case 'tool_use': {
      const text = asText(delta?.partial_json)
      if (text === undefined) return undefined
      open.sawDelta = true
      return addToTool(state, index, { id: undefined, name: undefined, text })
    }
    default:
      // Some servers leave the beginning of a text block out.
      if (delta?.type === 'text_delta' && open === undefined) emitText(asText(delta.text), emit)
      return undefined
  }
}

function mapThinking(
  open: Extract<OpenBlock, { type: 'thinking' }>,
  piece: JsonObject | undefined,
  emit: PartSink,
): undefined {
  const thinking = asText(piece?.thinking)
  const signature = asText(piece?.signature)
  if (thinking !== undefined) {
    open.thinking += thinking
    emit({ type: 'reasoning', delta: thinking })
  }
  if (signature !== undefined) open.signature += signature
}

function stopBlock(state: State, index: number, emit: PartSink): Mapped {
  const open = state.open.get(index)
  state.open.delete(index)
  if (open?.type === 'tool_use' && open.whole !== '' && !open.sawDelta) {
    return addToTool(state, index, { id: undefined, name: undefined, text: open.whole })
  }
  if (open?.type !== 'thinking') return undefined
  const { thinking, signature } = open
  state.thinking.push({ type: 'thinking', thinking, signature })
  // At once, for readers who need it beside its text; several blocks are told together at the end.
  if (signature !== '') emit({ type: 'reasoning', delta: '', signature })
  return undefined
}

type ToolText = {
  readonly id: string | undefined
  readonly name: string | undefined
  readonly text: string
}

function addToTool(state: State, index: number, piece: ToolText): Mapped {
  if (state.tools.add({ ...piece, index, position: 0, count: 1, freeForm: false })) return undefined
  return { type: 'invalid', reason: 'invalid_tool_arguments', message: 'tool arguments exceed their limit' }
}

function emitText(delta: string | undefined, emit: PartSink): void {
  if (delta !== undefined) emit({ type: 'text', delta })
}

function noteEnd(state: State, ending: JsonObject | undefined): void {
  state.rawReason = asText(ending?.stop_reason) ?? state.rawReason
  state.finished = state.rawReason !== null
  state.refusal ??= asText(asObject(ending?.stop_details)?.explanation)
}

function indexOf({ index }: JsonObject): number {
  return typeof index === 'number' ? index : 0
}

function endAnswer(state: State, marked: boolean, emit: PartSink): Ending {
  const { rawReason, refusal, sawMessage, isWhole, thinking, tools } = state
  if (!isWhole && !marked && rawReason === null) return { type: 'truncated' }
  if (!sawMessage && rawReason === null) {
    return { type: 'invalid', reason: 'server_error', message: 'the answer holds no message' }
  }
  // Some servers never close their blocks.
  for (const index of [...state.open.keys()]) {
    const mapped = stopBlock(state, index, emit)
    if (mapped?.type === 'invalid') return mapped
  }
  const signature = blocksToSignature(thinking)
  const isTold = thinking.length === 1 && thinking[0]?.type === 'thinking'
  if (signature !== undefined && !isTold) emit({ type: 'reasoning', delta: '', signature })
  const reason = finishReasonOf(state)
  const bad = tools.flush(reason === 'length' || reason === 'refusal')
  if (bad !== undefined) {
    const message = `the arguments of a tool call are not JSON (${bad.unreadable})`
    return { type: 'invalid', reason: 'invalid_tool_arguments', message }
  }
  const usage = countsToUsage(state.counts)
  if (usage !== undefined) emit({ type: 'usage', ...usage })
  emit({ type: 'finish', reason, rawReason, ...(refusal !== undefined && { refusal }) })
  return { type: 'complete' }
}

/** A turn that calls our tools is a tool turn, whatever it calls itself. */
function finishReasonOf({ rawReason, tools }: State): FinishReason {
  const reason = rawReason === null ? 'other' : (FINISH_REASONS[rawReason] ?? 'other')
  return tools.started && (reason === 'stop' || reason === 'other') ? 'tool_calls' : reason
}
