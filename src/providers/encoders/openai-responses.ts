/** OpenAI responses: items that open and close, every event numbered and named. */

import type { Answer } from '../types.ts'
import type { Encoder, Stamp } from './encoder.ts'
import {
  failureEvents,
  functionCallItem,
  messageItem,
  reasoningItem,
  refusalItem,
  responseOf,
  toError,
} from './openai-responses/items.ts'
import { startResponseStream } from './openai-responses/stream.ts'
import { textOf } from './tool-texts.ts'

/** https://platform.openai.com/docs/api-reference/responses */
export const openaiResponsesEncoder: Encoder = {
  framing: 'sse',
  body: toBody,
  stream: startResponseStream,
  errorBody: toError,
  errorEvents: failureEvents,
}

function toBody(answer: Answer, stamp: Stamp): unknown {
  const { text, reasoning, toolCalls, refusal, finishReason, usage } = answer
  const items = [
    reasoning && ((id: string) => reasoningItem(id, reasoning.text, reasoning.signature)),
    text !== '' && ((id: string) => messageItem(id, text)),
    refusal !== undefined && ((id: string) => refusalItem(id, refusal)),
    ...toolCalls.map((call) => (id: string) => functionCallItem(id, { ...call, text: textOf(call) })),
  ].filter((item) => item !== false && item !== null)
  const output = items.map((item, index) => item(`${stamp.id}_${index}`))
  return { ...responseOf(stamp, { output, reason: finishReason ?? 'stop', usage }) }
}
