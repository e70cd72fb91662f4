/**
 * A conversation as the planner sees it. The messages are all it knows: it keeps nothing between two requests.
 *
 * - **question**: the last message of the user.
 * - **round**: one assistant message with tool calls, answered, since the question.
 * - **exchange**: an earlier message of the user with what the assistant finally said.
 */

import type { ContentPart, Message, ToolCall } from '../../types.ts'

export type CompletedCall = {
  readonly name: string
  readonly input: unknown
  readonly result: string
  readonly failed: boolean
}

export type Exchange = { readonly user: string; readonly assistant: string }

export type Conversation = {
  readonly question: string
  readonly earlier: readonly Exchange[]
  readonly rounds: readonly (readonly CompletedCall[])[]
}

/** Sorts the messages of a request. */
export function readConversation(messages: readonly Message[]): Conversation {
  const asked = messages.findLastIndex((message) => message.role === 'user')
  const question = messages[asked]
  const since = messages.slice(asked + 1)
  return {
    question: question === undefined ? '' : textOf(question.content),
    earlier: readExchanges(messages.slice(0, Math.max(asked, 0))),
    rounds: since.flatMap((message) =>
      message.role === 'assistant' && message.toolCalls !== undefined && message.toolCalls.length > 0
        ? [message.toolCalls.map((call) => completed(call, since))]
        : [],
    ),
  }
}

function readExchanges(messages: readonly Message[]): readonly Exchange[] {
  const starts = messages.flatMap((message, index) => (message.role === 'user' ? [index] : []))
  return starts.map((start, nth) => {
    const group = messages.slice(start, starts[nth + 1])
    const last = group.findLast((message) => message.role === 'assistant')
    return { user: textOf(group[0]?.content ?? ''), assistant: textOf(last?.content ?? '') }
  })
}

function completed(call: ToolCall, messages: readonly Message[]): CompletedCall {
  const message = messages.find((candidate) => candidate.role === 'tool' && candidate.toolCallId === call.id)
  const result = textOf(message?.content ?? '')
  const marked = message?.role === 'tool' && message.isError === true
  return { name: call.name, input: call.input, result, failed: marked || looksFailed(result) }
}

/** Most wire formats have no mark for a failed tool: then the text has to tell. */
function looksFailed(result: string): boolean {
  if (/^\s*(\w*(error|failure|exception)\s*:|failed to\b)/i.test(result)) return true
  if (result.length < 400 && /\b(ENOENT|EACCES|EISDIR|ENOTDIR)\b|^tool\/\w+/.test(result)) return true
  const parsed = parseJson(result)
  return isObject(parsed) && parsed.error !== undefined && parsed.error !== null
}

/** Images stand for themselves: `[1 image]` at the end of the text shows that they arrived. */
function textOf(content: string | readonly ContentPart[]): string {
  if (typeof content === 'string') return content
  const text = content.map((part) => (part.type === 'text' ? part.text : '')).join('')
  const images = content.filter((part) => part.type === 'image').length
  if (images === 0) return text
  return `${text}${text === '' ? '' : ' '}[${images} image${images === 1 ? '' : 's'}]`
}

/** What the text says as JSON; undefined where it is none. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown
  } catch {
    return undefined
  }
}

/** A JSON object, not an array. */
export function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
