/** OpenAI chat completions, with `reasoning_content` as DeepSeek and others have it. */

import type { Answer, FinishReason, StreamPart, Usage } from '../types.ts'
import type { AnswerEncoding, Encoder, EncodingOptions, Stamp, WireError, WireEvent } from './encoder.ts'
import { createToolTexts, type ToolStep, textOf } from './tool-texts.ts'
import { wireErrorOf } from './wire-error.ts'

/** https://platform.openai.com/docs/api-reference/chat */
export const openaiChatEncoder: Encoder = {
  framing: 'sse',
  body: toBody,
  stream: startStream,
  errorBody: toError,
  errorEvents: (error) => [{ data: toError(error) }, DONE],
}

const DONE: WireEvent = { data: '[DONE]', terminal: true }

const FINISH: Readonly<Record<FinishReason, string>> = {
  stop: 'stop',
  length: 'length',
  tool_calls: 'tool_calls',
  content_filter: 'content_filter',
  // OpenAI says in the message, not in the reason, that the model refused.
  refusal: 'stop',
  other: 'stop',
}

function toBody(answer: Answer, { id, model, createdMs }: Stamp): unknown {
  return {
    id: `chatcmpl-${id}`,
    object: 'chat.completion',
    created: Math.floor(createdMs / 1000),
    model,
    choices: [
      {
        index: 0,
        message: toMessage(answer),
        logprobs: null,
        finish_reason: FINISH[answer.finishReason ?? 'stop'],
      },
    ],
    ...(answer.usage && { usage: toUsage(answer.usage) }),
  }
}

function toMessage({ text, reasoning, toolCalls, refusal }: Answer): unknown {
  const isSilent = text === '' && (toolCalls.length > 0 || refusal !== undefined)
  return {
    role: 'assistant',
    content: isSilent ? null : text,
    refusal: refusal ?? null,
    ...(reasoning && { reasoning_content: reasoning.text }),
    ...(toolCalls.length > 0 && {
      tool_calls: toolCalls.map((call) => ({
        id: call.id,
        type: 'function',
        function: { name: call.name, arguments: textOf(call) },
      })),
    }),
  }
}

type Delta = Readonly<Record<string, unknown>>

function startStream(stamp: Stamp, { includeUsage = false }: EncodingOptions = {}): AnswerEncoding {
  const envelope = {
    id: `chatcmpl-${stamp.id}`,
    object: 'chat.completion.chunk',
    created: Math.floor(stamp.createdMs / 1000),
    model: stamp.model,
  }
  const tools = createToolTexts()
  let usage: Usage | undefined
  const event = (delta: Delta, finishReason: string | null = null): WireEvent => ({
    data: {
      ...envelope,
      choices: [{ index: 0, delta, logprobs: null, finish_reason: finishReason }],
      ...(includeUsage && { usage: null }),
    },
  })
  const fail = (error: WireError): readonly WireEvent[] => [{ data: toError(error) }, DONE]
  const part = (said: StreamPart): readonly WireEvent[] => {
    switch (said.type) {
      case 'start':
        return [event({ role: 'assistant', content: '' })]
      case 'text':
        return [event({ content: said.delta })]
      case 'reasoning':
        return said.delta === '' ? [] : [event({ reasoning_content: said.delta })]
      case 'tool_call_delta':
      case 'tool_call': {
        const step = tools.step(said)
        return step === undefined ? [] : toolDeltas(step).map((call) => event({ tool_calls: [call] }))
      }
      case 'usage':
        usage = said
        return []
      case 'finish':
        return [
          ...(said.refusal === undefined ? [] : [event({ refusal: said.refusal })]),
          event({}, FINISH[said.reason]),
          ...(includeUsage && usage ? [{ data: { ...envelope, choices: [], usage: toUsage(usage) } }] : []),
          DONE,
        ]
      case 'error':
        return fail(wireErrorOf(said.error))
    }
  }
  return { part, fail }
}

/** A call is announced with its name and no arguments, which follow. */
function toolDeltas({ index, isNew, id, name, delta }: ToolStep): readonly unknown[] {
  return [
    ...(isNew ? [{ index, id, type: 'function', function: { name, arguments: '' } }] : []),
    ...(delta === '' ? [] : [{ index, function: { arguments: delta } }]),
  ]
}

function toUsage({
  inputTokens,
  outputTokens,
  totalTokens,
  cachedInputTokens,
  reasoningTokens,
}: Usage): unknown {
  return {
    prompt_tokens: inputTokens ?? 0,
    completion_tokens: outputTokens ?? 0,
    total_tokens: totalTokens ?? (inputTokens ?? 0) + (outputTokens ?? 0),
    prompt_tokens_details: { cached_tokens: cachedInputTokens ?? 0 },
    completion_tokens_details: { reasoning_tokens: reasoningTokens ?? 0 },
  }
}

function toError({ message, type, status, param }: WireError): unknown {
  return { error: { message, type, param: param ?? null, code: status < 500 ? type : status } }
}
