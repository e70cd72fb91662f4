import { openaiAuth } from './openai-chat.ts'
import { createResponsesMapper } from './openai-responses/answer.ts'
import { buildResponsesRequest } from './openai-responses/request.ts'
import type { Protocol } from './protocol.ts'

/** OpenAI responses, kept stateless: the conversation goes with every request and nothing stays upstream. */
export const openaiResponses: Protocol = {
  name: 'openai-responses',
  path: '/responses',
  framing: 'sse',
  buildRequest: buildResponsesRequest,
  authHeaders: openaiAuth,
  createMapper: createResponsesMapper,
}
