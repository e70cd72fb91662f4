/**
 * Lines of `/api/chat` and `/api/generate`, or one whole answer, to parts.
 *
 * O1. Each line is a delta; the last one has `done: true` and the counts. Without it the answer was truncated.
 * O2. A line with `error` is an error, whatever came before it.
 */

import { asArray, asCount, asObject, asText, type JsonObject } from '../../narrow.ts'
import type { FinishReason, PartSink, Usage } from '../../types.ts'
import type { AnswerMapper, Ending, Mapped, MapperContext } from '../protocol.ts'
import { createToolAssembler, type ToolAssembler } from '../tool-calls.ts'

/** What has been read of the answer: the mapper itself, whose first two fields are what others see of it. */
type State = {
  model: string | null
  finished: boolean
  rawReason: string | null
  usage: Usage | undefined
  calls: number
  readonly tools: ToolAssembler
}

const FINISH_REASONS: Readonly<Record<string, FinishReason>> = {
  stop: 'stop',
  length: 'length',
  tool_calls: 'tool_calls',
}

/** The mapper of one answer. */
export function createOllamaMapper(emit: PartSink, context: MapperContext): AnswerMapper {
  const { toolArgumentBytes: maxBytes, newId } = context
  const state: State & AnswerMapper = {
    model: null,
    responseId: null,
    finished: false,
    rawReason: null,
    usage: undefined,
    calls: 0,
    tools: createToolAssembler(emit, { maxBytes, newId }),
    event: (json) => mapLine(state, json, emit),
    body: (json) => mapBody(state, json, emit),
    end: () => endAnswer(state, emit),
  }
  return state
}

function mapBody(state: State, json: unknown, emit: PartSink): Mapped {
  const body = asObject(json)
  const isAnswer = asObject(body?.message) !== undefined || typeof body?.response === 'string'
  if (body === undefined || isAnswer || body.error != null) return mapLine(state, json, emit)
  return { type: 'invalid', reason: 'server_error', message: 'the answer holds no message' }
}

function mapLine(state: State, json: unknown, emit: PartSink): Mapped {
  const line = asObject(json)
  if (line === undefined || line.error != null) return { type: 'error', body: json }
  state.model ??= asText(line.model) ?? null
  const message = asObject(line.message) ?? line
  const thinking = asText(message.thinking)
  const text = asText(message.content) ?? asText(line.response)
  if (thinking !== undefined) emit({ type: 'reasoning', delta: thinking })
  if (text !== undefined) emit({ type: 'text', delta: text })
  for (const call of asArray(message.tool_calls)) {
    if (!addCall(state, asObject(call))) {
      return {
        type: 'invalid',
        reason: 'invalid_tool_arguments',
        message: 'tool arguments exceed their limit',
      }
    }
  }
  if (line.done !== true) return undefined
  state.finished = true
  state.rawReason = asText(line.done_reason) ?? null
  state.usage = usageOf(line)
  return { type: 'done' }
}

/** Calls come whole. Their index is not to be relied on: older servers give 0 to each. */
function addCall(state: State, call: JsonObject | undefined): boolean {
  const called = asObject(call?.function)
  const name = asText(called?.name)
  if (name === undefined) return true
  const { arguments: input } = called ?? {}
  const text = typeof input === 'string' ? input : JSON.stringify(input ?? {})
  const index = state.calls++
  return state.tools.add({ index, id: asText(call?.id), name, text, position: 0, count: 1, freeForm: false })
}

/** A prompt that was cached whole is not counted: `prompt_eval_count` is then absent. */
function usageOf(line: JsonObject): Usage | undefined {
  const inputTokens = asCount(line.prompt_eval_count)
  const outputTokens = asCount(line.eval_count)
  if (inputTokens === null && outputTokens === null) return undefined
  return { inputTokens, outputTokens, totalTokens: null, cachedInputTokens: null, reasoningTokens: null }
}

function endAnswer({ finished, rawReason, usage, tools }: State, emit: PartSink): Ending {
  if (!finished) return { type: 'truncated' }
  // Servers before 0.1.40 gave no reason.
  const said = rawReason === null ? 'stop' : (FINISH_REASONS[rawReason] ?? 'other')
  const reason = tools.started && said !== 'length' ? 'tool_calls' : said
  const bad = tools.flush(reason === 'length')
  if (bad !== undefined) {
    const message = `the arguments of a tool call are not JSON (${bad.unreadable})`
    return { type: 'invalid', reason: 'invalid_tool_arguments', message }
  }
  if (usage !== undefined) emit({ type: 'usage', ...usage })
  emit({ type: 'finish', reason, rawReason })
  return { type: 'complete' }
}
