/**
 * Anthropic messages: named events around content blocks that follow one another.
 *
 * A1. One block is open at a time. What comes while the arguments of a tool call are unfinished waits for their end.
 */

import type { Answer, FinishReason, StreamPart, Usage } from '../types.ts'
import type { AnswerEncoding, Encoder, EncodingOptions, Stamp, WireError, WireEvent } from './encoder.ts'
import { createToolTexts, isWhole, type ToolStep } from './tool-texts.ts'
import { wireErrorOf } from './wire-error.ts'

/** https://docs.claude.com/en/api/messages and its page on streaming. */
export const anthropicEncoder: Encoder = {
  framing: 'sse',
  body: toBody,
  stream: startStream,
  errorBody: toError,
  errorEvents: (error) => [errorEvent(error)],
}

const STOP: Readonly<Record<FinishReason, string>> = {
  stop: 'end_turn',
  length: 'max_tokens',
  tool_calls: 'tool_use',
  content_filter: 'refusal',
  refusal: 'refusal',
  other: 'end_turn',
}

type Ended = { readonly reason: FinishReason | null; readonly refusal: string | undefined }

function toBody({ text, reasoning, toolCalls, usage, finishReason, refusal }: Answer, stamp: Stamp): unknown {
  return {
    ...toShell(stamp, usage),
    content: [
      ...(reasoning
        ? [{ type: 'thinking', thinking: reasoning.text, signature: reasoning.signature ?? '' }]
        : []),
      ...(text === '' ? [] : [{ type: 'text', text, citations: null }]),
      ...toolCalls.map(({ id, name, input }) => ({ ...toolBlock(id, name), input: asInput(input) })),
    ],
    ...toStop({ reason: finishReason, refusal }),
  }
}

/** The message of `message_start`, and all of a whole one but its content and its end. */
function toShell({ id, model }: Stamp, usage: Usage | null): object {
  return {
    id: `msg_${id}`,
    type: 'message',
    role: 'assistant',
    model,
    content: [],
    container: null,
    diagnostics: null,
    stop_reason: null,
    stop_sequence: null,
    stop_details: null,
    usage: {
      ...toUsage(usage),
      cache_creation: null,
      inference_geo: null,
      service_tier: 'standard',
      speed: null,
    },
  }
}

function toStop({ reason, refusal }: Ended): object {
  return {
    stop_reason: STOP[reason ?? 'stop'],
    stop_sequence: null,
    stop_details: refusal === undefined ? null : { type: 'refusal', category: null, explanation: refusal },
  }
}

/** Anthropic's `input_tokens` are those that no cache spared. */
function toUsage(usage: Usage | null): object {
  const cached = usage?.cachedInputTokens ?? 0
  return {
    input_tokens: Math.max(0, (usage?.inputTokens ?? 0) - cached),
    output_tokens: usage?.outputTokens ?? 0,
    cache_creation_input_tokens: 0,
    cache_read_input_tokens: cached,
    output_tokens_details: { thinking_tokens: usage?.reasoningTokens ?? 0 },
    server_tool_use: null,
  }
}

type OpenBlock = { readonly kind: 'text' | 'thinking' | 'tool'; readonly index: number; tool?: ToolStep }

function startStream(stamp: Stamp, { inputTokens = 0 }: EncodingOptions = {}): AnswerEncoding {
  const tools = createToolTexts()
  let deferred: StreamPart[] = []
  let blocks = 0
  let open: OpenBlock | undefined
  let usage: Usage | null = null

  const close = (): readonly WireEvent[] => {
    if (open === undefined) return []
    const { index } = open
    open = undefined
    return [event('content_block_stop', { index })]
  }
  const begin = (kind: OpenBlock['kind'], block: object): readonly WireEvent[] => {
    const before = close()
    open = { kind, index: blocks++ }
    return [...before, event('content_block_start', { index: open.index, content_block: block })]
  }
  const within = (kind: OpenBlock['kind'], block: object): readonly WireEvent[] =>
    open?.kind === kind ? [] : begin(kind, block)
  const delta = (body: object): WireEvent => event('content_block_delta', { index: open?.index, delta: body })

  const tool = (step: ToolStep): readonly WireEvent[] => {
    const before = step.isNew ? begin('tool', { ...toolBlock(step.id, step.name), input: {} }) : []
    const isOpen = step.isNew || open?.tool?.index === step.index
    if (open === undefined || !isOpen) return before // its block is over: only its end can come
    open.tool = step
    const more = step.delta === '' ? [] : [delta({ type: 'input_json_delta', partial_json: step.delta })]
    return [...before, ...more, ...(step.isDone ? close() : [])]
  }
  const isDeferred = (said: StreamPart): boolean => {
    const current = open?.tool
    if (current === undefined || ('index' in said && said.index === current.index)) return false
    if (said.type === 'usage' || said.type === 'finish' || said.type === 'error') return false
    return deferred.length > 0 || !isWhole(current.text)
  }
  const replayed = (): readonly WireEvent[] => {
    if (deferred.length === 0 || (open?.tool !== undefined && !isWhole(open.tool.text))) return []
    const parts = deferred
    deferred = []
    return parts.flatMap(part)
  }
  const part = (said: StreamPart): readonly WireEvent[] => {
    // A call that was cut off never becomes whole.
    if (said.type === 'finish' && deferred.length > 0) return [...close(), ...replayed(), ...part(said)]
    if (!isDeferred(said)) return [...encode(said), ...replayed()]
    deferred.push(said)
    return replayed()
  }

  const encode = (said: StreamPart): readonly WireEvent[] => {
    switch (said.type) {
      case 'start':
        return [event('message_start', { message: toShell(stamp, startUsage(inputTokens)) })]
      case 'text':
        return [
          ...within('text', { type: 'text', text: '', citations: null }),
          delta({ type: 'text_delta', text: said.delta }),
        ]
      case 'reasoning':
        return [
          ...within('thinking', { type: 'thinking', thinking: '', signature: '' }),
          ...(said.delta === '' ? [] : [delta({ type: 'thinking_delta', thinking: said.delta })]),
          ...(said.signature === undefined
            ? []
            : [delta({ type: 'signature_delta', signature: said.signature })]),
        ]
      case 'tool_call_delta':
      case 'tool_call': {
        const step = tools.step(said)
        return step === undefined ? [] : tool(step)
      }
      case 'usage':
        usage = said
        return []
      case 'finish':
        return [
          ...close(),
          event('message_delta', {
            delta: { ...toStop({ reason: said.reason, refusal: said.refusal }), container: null },
            usage: toUsage(usage),
          }),
          { ...event('message_stop', {}), terminal: true },
        ]
      case 'error':
        return [errorEvent(wireErrorOf(said.error))]
    }
  }
  return { part, fail: (error) => [errorEvent(error)] }
}

function startUsage(inputTokens: number): Usage {
  return { inputTokens, outputTokens: 1, totalTokens: null, cachedInputTokens: null, reasoningTokens: null }
}

function toolBlock(id: string, name: string): object {
  return { type: 'tool_use', id, name, input: {}, caller: { type: 'direct' } }
}

/** The input of a tool is an object here; free-form input has to stand in one. */
function asInput(input: unknown): unknown {
  return typeof input === 'object' && input !== null ? input : { input }
}

function event(name: string, body: object): WireEvent {
  return { name, data: { type: name, ...body } }
}

/** https://docs.claude.com/en/api/errors */
const ERROR_TYPES: Readonly<Record<number, string>> = {
  400: 'invalid_request_error',
  401: 'authentication_error',
  402: 'billing_error',
  403: 'permission_error',
  404: 'not_found_error',
  413: 'request_too_large',
  429: 'rate_limit_error',
  504: 'timeout_error',
  529: 'overloaded_error',
}

function toError({ status, message }: WireError): object {
  const type = ERROR_TYPES[status] ?? (status < 500 ? 'invalid_request_error' : 'api_error')
  return { type: 'error', error: { type, message }, request_id: null }
}

function errorEvent(error: WireError): WireEvent {
  return { name: 'error', data: toError(error) }
}
