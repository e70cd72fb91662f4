/**
 * Ollama's own API: `/api/chat` and `/api/generate`, one JSON object a line, the last one with `done: true`.
 * Tool calls come whole, and their arguments are objects.
 */

import type { Answer, FinishReason, StreamPart, ToolCall, Usage } from '../types.ts'
import type { AnswerEncoding, Encoder, Stamp, WireError, WireEvent } from './encoder.ts'
import { wireErrorOf } from './wire-error.ts'

/** https://docs.ollama.com/api/chat */
export const ollamaChatEncoder: Encoder = encoderOf(({ text = '', thinking, toolCalls = [] }) => ({
  message: {
    role: 'assistant',
    content: text,
    ...(thinking !== undefined && { thinking }),
    ...(toolCalls.length > 0 && { tool_calls: toolCalls.map(toWireCall) }),
  },
}))

/** https://docs.ollama.com/api/generate: no tools. */
export const ollamaGenerateEncoder: Encoder = encoderOf(({ text = '', thinking }) => ({
  response: text,
  ...(thinking !== undefined && { thinking }),
}))

/** What one object says; the two endpoints differ in where it stands. */
type Said = {
  readonly text?: string
  readonly thinking?: string
  readonly toolCalls?: readonly IndexedCall[]
}
type IndexedCall = ToolCall & { readonly index: number }

function encoderOf(toContent: (said: Said) => object): Encoder {
  const envelope = ({ model, createdMs }: Stamp) => ({ model, created_at: new Date(createdMs).toISOString() })
  return {
    framing: 'ndjson',
    body: ({ text, reasoning, toolCalls, finishReason, usage }: Answer, stamp) => ({
      ...envelope(stamp),
      ...toContent({
        text,
        ...(reasoning && { thinking: reasoning.text }),
        toolCalls: toolCalls.map((call, index) => ({ ...call, index })),
      }),
      ...toEnd(finishReason, usage),
    }),
    stream: (stamp) =>
      startStream(
        (said) => ({ data: { ...envelope(stamp), ...toContent(said), done: false } }),
        (reason, usage) => ({ data: { ...envelope(stamp), ...toContent({}), ...toEnd(reason, usage) } }),
      ),
    errorBody: toError,
    errorEvents: (error) => [{ data: toError(error) }],
  }
}

function startStream(
  event: (said: Said) => WireEvent,
  last: (reason: FinishReason, usage: Usage | null) => WireEvent,
): AnswerEncoding {
  let usage: Usage | null = null
  const part = (said: StreamPart): readonly WireEvent[] => {
    switch (said.type) {
      case 'text':
        return [event({ text: said.delta })]
      case 'reasoning':
        return said.delta === '' ? [] : [event({ thinking: said.delta })]
      case 'tool_call':
        return [event({ toolCalls: [said] })]
      case 'usage':
        usage = said
        return []
      case 'finish':
        return [{ ...last(said.reason, usage), terminal: true }]
      case 'error':
        return [{ data: toError(wireErrorOf(said.error)) }]
      case 'start':
      case 'tool_call_delta':
        return []
    }
  }
  return { part, fail: (error) => [{ data: toError(error) }] }
}

function toWireCall({ index, id, name, input }: IndexedCall): unknown {
  return { id, function: { index, name, arguments: typeof input === 'string' ? { input } : input } }
}

/** Ollama says `stop` for tool calls too. Durations are nanoseconds; they are not known here. */
function toEnd(reason: FinishReason | null, usage: Usage | null): object {
  return {
    done: true,
    done_reason: reason === 'length' ? 'length' : 'stop',
    total_duration: 0,
    load_duration: 0,
    prompt_eval_count: usage?.inputTokens ?? 0,
    prompt_eval_duration: 0,
    eval_count: usage?.outputTokens ?? 0,
    eval_duration: 0,
  }
}

function toError({ message }: WireError): object {
  return { error: message }
}
