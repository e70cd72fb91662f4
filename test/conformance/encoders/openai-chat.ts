import { COUNTS, type Encoder, joined, type Script, type ScriptedCall, sse } from './encoder.ts'

const HEAD = { id: 'chatcmpl-1', object: 'chat.completion.chunk', created: 1, model: 'm-2026' }
const FINISHES = {
  stop: 'stop',
  length: 'length',
  tool_calls: 'tool_calls',
  content_filter: 'content_filter',
  refusal: 'stop',
  other: 'novel_reason',
} as const

const usage = {
  prompt_tokens: COUNTS.input,
  completion_tokens: COUNTS.output,
  total_tokens: COUNTS.input + COUNTS.output,
  prompt_tokens_details: { cached_tokens: COUNTS.cached },
  completion_tokens_details: { reasoning_tokens: COUNTS.reasoning },
}

export const openaiChatEncoder: Encoder = {
  protocol: 'openai-chat',
  label: 'openai-chat',
  contentType: 'text/event-stream',
  finishes: FINISHES,
  lacks: [],
  json: (script) => {
    const { calls, finish = 'stop' } = script
    const message = {
      role: 'assistant',
      content: joined(script.text) ?? null,
      refusal: script.refusal ?? null,
      ...(script.reasoning && { reasoning_content: joined(script.reasoning) }),
      ...(calls && { tool_calls: calls.map(wholeCall) }),
    }
    return {
      ...HEAD,
      choices: [{ index: 0, message, finish_reason: FINISHES[finish] }],
      ...(script.usage !== 'absent' && { usage }),
    }
  },
  frames: (script) => {
    const { usage: when = 'normal', finish = 'stop' } = script
    const every = when === 'every' ? { usage: { ...usage, completion_tokens: 1 } } : {}
    const chunk = (delta: object, reason: string | null = null): string =>
      sse({ ...HEAD, choices: [{ index: 0, delta, finish_reason: reason }], ...every })
    return [
      chunk({ role: 'assistant', content: '' }),
      ...(script.reasoning ?? []).map((piece) => chunk({ reasoning_content: piece, content: null })),
      ...(script.text ?? []).map((content) => chunk({ content })),
      ...(script.refusal ? [chunk({ refusal: script.refusal })] : []),
      ...callPieces(script).map((tool_calls) => chunk({ tool_calls })),
      chunk({}, FINISHES[finish]),
      ...(when === 'absent' ? [] : [sse({ ...HEAD, choices: [], usage })]),
      'data: [DONE]\n\n',
    ]
  },
  endFrames: ({ usage: when }) => (when === 'absent' ? 2 : 3),
  errorBody: (message) => ({ error: { message, type: 'server_error', code: 500 } }),
  errorFrame: (message) => sse({ error: { message, type: 'server_error' } }),
}

function wholeCall({ id, name, fragments }: ScriptedCall): object {
  return { ...(id && { id }), type: 'function', function: { name, arguments: fragments?.join('') ?? null } }
}

/** The calls of one delta each: begun together, then a fragment of each in turn. */
function callPieces({ calls = [], withoutIndex = false }: Script): object[][] {
  const at = (index: number): object => (withoutIndex ? {} : { index })
  const begun = calls.map(({ id, name, fragments }, index) => ({
    ...at(index),
    ...(id && { id }),
    type: 'function',
    function: { name, arguments: fragments === null ? null : '' },
  }))
  const most = Math.max(0, ...calls.map(({ fragments }) => fragments?.length ?? 0))
  const grown = Array.from({ length: most }, (_, step) =>
    calls.map(({ fragments }, index) => ({ ...at(index), function: { arguments: fragments?.[step] ?? '' } })),
  )
  return begun.length === 0 ? [] : [begun, ...grown]
}
