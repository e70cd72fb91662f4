import { createOllamaMapper } from './ollama/answer.ts'
import { buildOllamaRequest } from './ollama/request.ts'
import type { Protocol } from './protocol.ts'

/** Ollama's own API: `/api/chat`, or `/api/generate` where the endpoint says so. */
export const ollama: Protocol = {
  name: 'ollama',
  path: '/api/chat',
  framing: 'ndjson',
  buildRequest: buildOllamaRequest,
  // A plain server wants none; ollama.com and proxies before a server want this one.
  authHeaders: (apiKey) => ({ authorization: `Bearer ${apiKey}` }),
  createMapper: createOllamaMapper,
}
