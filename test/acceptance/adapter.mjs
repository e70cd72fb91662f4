// The adapter of the acceptance runner: the public API, and nothing parsed here.
import { createProvider } from '../../src/index.ts'

const CHAT_ENDPOINTS = {
  'chat.completions': { protocol: 'openai-chat' },
  responses: { protocol: 'openai-responses' },
  messages: { protocol: 'anthropic' },
  'ollama.chat': { protocol: 'ollama' },
  'ollama.generate': { protocol: 'ollama', endpoint: '/api/generate' },
}

export function supports({ endpoint }) {
  return endpoint in CHAT_ENDPOINTS
}

export async function run({ endpoint, stream, baseUrl, request, timeoutMs }) {
  await using upstream = createProvider({
    ...CHAT_ENDPOINTS[endpoint],
    baseUrl,
    apiKey: 'test-key',
    model: request.model,
    stream,
    retries: 0,
    timeouts: {
      connectMs: timeoutMs,
      headersMs: timeoutMs,
      firstContentMs: timeoutMs,
      idleMs: timeoutMs,
      totalMs: timeoutMs,
    },
  })
  try {
    return toResult(await upstream.complete({ messages: request.messages }), 'complete')
  } catch (error) {
    const terminal = error.reason === 'truncated_stream' ? 'truncated' : 'error'
    return {
      ...toResult(error.partial, terminal),
      error: { category: error.category, message: error.message },
    }
  }
}

function toResult(answer, terminal) {
  const { usage } = answer
  return {
    text: answer.text,
    reasoning: answer.reasoning?.text,
    toolCalls: answer.toolCalls.map(({ name, input }) => ({ name, arguments: input })),
    finishReason: answer.rawFinishReason,
    usage: usage && {
      input: usage.inputTokens,
      output: usage.outputTokens,
      total: usage.totalTokens,
      cached: usage.cachedInputTokens,
    },
    model: answer.model,
    terminal,
  }
}
