/**
 * Prompts and answers as attributes of a `chat` span, for whoever has switched `telemetry.captureContent` on.
 * The shape is that of the OpenTelemetry GenAI conventions: https://github.com/open-telemetry/semantic-conventions-genai
 */

import { ATTR } from '../../telemetry/semconv.ts'
import type { Attributes } from '../../telemetry/telemetry.ts'
import { createCollector } from '../collect.ts'
import type { Answer, ContentPart, Message, ModelRequest, PartSink } from '../types.ts'

export type ContentCapture = {
  /** Hands every part on, having looked at it. */
  tap(emit: PartSink): PartSink
  /** What was asked, and what has been answered so far. */
  attributes(): Attributes
}

/** Looks on at one call. */
export function captureContent({ messages }: ModelRequest): ContentCapture {
  const collector = createCollector('')
  return {
    tap: (emit) => (part) => {
      collector.add(part)
      emit(part)
    },
    attributes: () => ({
      [ATTR.inputMessages]: JSON.stringify(messages.map(messageToJson)),
      [ATTR.outputMessages]: JSON.stringify([answerToJson(collector.answer())]),
    }),
  }
}

function messageToJson(message: Message): object {
  if (message.role === 'tool') {
    const { role, toolCallId: id, content: response } = message
    return { role, parts: [{ type: 'tool_call_response', id, response: withoutImages(response) }] }
  }
  if (message.role === 'assistant') return assistantToJson(message)
  const { role, content } = message
  return { role, parts: typeof content === 'string' ? [text(content)] : content.map(partToJson) }
}

function answerToJson(answer: Answer): object {
  const { text: content, toolCalls, reasoning, finishReason } = answer
  const message = { role: 'assistant', content, toolCalls, ...(reasoning && { reasoning }) } as const
  return { ...assistantToJson(message), finish_reason: finishReason ?? 'error' }
}

function assistantToJson(message: Extract<Message, { role: 'assistant' }>): object {
  const { role, content, reasoning, toolCalls = [] } = message
  return {
    role,
    parts: [
      ...(reasoning ? [{ type: 'reasoning', content: reasoning.text }] : []),
      ...(content === '' ? [] : [text(content)]),
      ...toolCalls.map(({ id, name, input }) => ({ type: 'tool_call', id, name, arguments: input })),
    ],
  }
}

const text = (content: string): object => ({ type: 'text', content })

/** Images are named, not copied: a span is no place for megabytes. */
function partToJson(part: ContentPart): object {
  return part.type === 'text' ? text(part.text) : { type: part.type }
}

function withoutImages(content: string | readonly ContentPart[]): unknown {
  return typeof content === 'string' ? content : content.map(partToJson)
}
