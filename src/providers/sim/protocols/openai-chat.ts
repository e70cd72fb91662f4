/** OpenAI chat completions: `POST /v1/chat/completions`, as JSON or as server-sent events. */

import type { Chunk, SimAnswer, SimProtocol, SimRequest, SimUsage, Stamp, UpstreamError } from '../types.ts'
import { argumentDeltas, textDeltas } from './deltas.ts'
import { decodeChatRequest } from './openai-chat-request.ts'

/** https://platform.openai.com/docs/api-reference/chat, with `reasoning_content` as DeepSeek and others have it. */
export const openaiChat: SimProtocol = {
  name: 'openai-chat',
  path: '/v1/chat/completions',
  streamContentType: 'text/event-stream; charset=utf-8',
  decode: decodeChatRequest,
  json: toBody,
  events: toEvents,
  error: toError,
  errorEvents: (error) => [data(toError(error)), done()],
}

type Delta = Readonly<Record<string, unknown>>

function toBody(answer: SimAnswer, { id, model, createdMs }: Stamp): unknown {
  return {
    id,
    object: 'chat.completion',
    created: Math.floor(createdMs / 1000),
    model,
    choices: [{ index: 0, message: toMessage(answer), logprobs: null, finish_reason: answer.finishReason }],
    usage: toUsage(answer.usage),
  }
}

function toMessage({ text, reasoning, toolCalls }: SimAnswer): unknown {
  return {
    role: 'assistant',
    content: text === '' && toolCalls.length > 0 ? null : text,
    ...(reasoning !== undefined && { reasoning_content: reasoning }),
    ...(toolCalls.length > 0 && {
      tool_calls: toolCalls.map(({ id, name, input }) => ({
        id,
        type: 'function',
        function: { name, arguments: JSON.stringify(input) },
      })),
    }),
  }
}

function toEvents(answer: SimAnswer, stamp: Stamp, { includeUsage }: SimRequest): readonly Chunk[] {
  const envelope = {
    id: stamp.id,
    object: 'chat.completion.chunk',
    created: Math.floor(stamp.createdMs / 1000),
    model: stamp.model,
  }
  const unused = includeUsage ? { usage: null } : {}
  const event = (delta: Delta, finishReason: string | null = null) =>
    data({ ...envelope, choices: [{ index: 0, delta, finish_reason: finishReason }], ...unused })
  return [
    event({ role: 'assistant', content: '' }),
    ...toDeltas(answer).map((delta) => event(delta)),
    event({}, answer.finishReason),
    ...(includeUsage ? [data({ ...envelope, choices: [], usage: toUsage(answer.usage) })] : []),
    done(),
  ]
}

function toDeltas({ text, reasoning, toolCalls }: SimAnswer): readonly Delta[] {
  return [
    ...textDeltas(reasoning ?? '').map((delta) => ({ reasoning_content: delta })),
    ...textDeltas(text).map((delta) => ({ content: delta })),
    ...toolCalls.flatMap(({ id, name, input }, index) => [
      { tool_calls: [{ index, id, type: 'function', function: { name, arguments: '' } }] },
      ...argumentDeltas(JSON.stringify(input)).map((delta) => ({
        tool_calls: [{ index, function: { arguments: delta } }],
      })),
    ]),
  ]
}

function toUsage({ inputTokens, outputTokens, reasoningTokens }: SimUsage): unknown {
  return {
    prompt_tokens: inputTokens,
    completion_tokens: outputTokens,
    total_tokens: inputTokens + outputTokens,
    prompt_tokens_details: { cached_tokens: 0 },
    completion_tokens_details: { reasoning_tokens: reasoningTokens },
  }
}

function toError({ message, type, status, param }: UpstreamError): unknown {
  return { error: { message, type, param: param ?? null, code: status < 500 ? type : status } }
}

function data(value: unknown): Chunk {
  return { bytes: Buffer.from(`data: ${JSON.stringify(value)}\n\n`) }
}

function done(): Chunk {
  return { bytes: Buffer.from('data: [DONE]\n\n'), terminal: true }
}
