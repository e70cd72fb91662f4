import type { Dialect } from './dialects.ts'
import { createAnswerMapper } from './openai-chat/answer.ts'
import { buildChatRequest } from './openai-chat/request.ts'
import type { Protocol } from './protocol.ts'

/** OpenAI chat completions, as OpenAI documents it and as some dozens of servers speak it. */
export const openaiChat: Protocol = {
  name: 'openai-chat',
  path: '/chat/completions',
  framing: 'sse',
  buildRequest: buildChatRequest,
  authHeaders: openaiAuth,
  createMapper: createAnswerMapper,
}

/** The key where the vendor reads it. */
export function openaiAuth(apiKey: string, { keyHeader }: Dialect): Readonly<Record<string, string>> {
  return { [keyHeader]: keyHeader === 'authorization' ? `Bearer ${apiKey}` : apiKey }
}
