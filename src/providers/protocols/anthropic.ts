import { createMessageMapper } from './anthropic/answer.ts'
import { buildMessagesRequest } from './anthropic/request.ts'
import type { Protocol } from './protocol.ts'

/** Anthropic messages, as Anthropic documents it and as llama.cpp, DeepSeek and others speak it too. */
export const anthropic: Protocol = {
  name: 'anthropic',
  path: '/v1/messages',
  framing: 'sse',
  headers: { 'anthropic-version': '2023-06-01' },
  buildRequest: buildMessagesRequest,
  authHeaders: (apiKey) => ({ 'x-api-key': apiKey }),
  createMapper: createMessageMapper,
}
