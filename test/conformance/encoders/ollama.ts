import { COUNTS, type Encoder, joined, type Script, type ScriptedCall } from './encoder.ts'

const FINISHES = { stop: 'stop', length: 'length', tool_calls: 'stop', other: 'unload' } as const
const head = { model: 'm-2026', created_at: '2026-01-01T00:00:00Z' }

export const ollamaChatEncoder: Encoder = {
  protocol: 'ollama',
  label: 'ollama chat',
  contentType: 'application/x-ndjson',
  finishes: FINISHES,
  lacks: ['refusal', 'cached', 'reasoningTokens', 'total'],
  json: (script) => {
    const { text, reasoning, calls } = script
    const message = {
      role: 'assistant',
      content: joined(text) ?? '',
      ...(reasoning && { thinking: joined(reasoning) }),
      ...(calls && { tool_calls: calls.map(toCall) }),
    }
    return { ...head, message, ...ending(script) }
  },
  frames: (script) => {
    const { text = [], reasoning = [], calls = [] } = script
    const said = (message: object): string =>
      line({ ...head, message: { role: 'assistant', content: '', ...message }, done: false })
    return [
      ...reasoning.map((thinking) => said({ thinking })),
      ...text.map((content) => said({ content })),
      ...calls.map((call) => said({ tool_calls: [toCall(call)] })),
      line({ ...head, message: { role: 'assistant', content: '' }, ...ending(script) }),
    ]
  },
  endFrames: () => 1,
  errorBody: (message) => ({ error: message }),
  errorFrame: (message) => line({ error: message }),
}

export const ollamaGenerateEncoder: Encoder = {
  ...ollamaChatEncoder,
  label: 'ollama generate',
  endpoint: '/api/generate',
  lacks: [...ollamaChatEncoder.lacks, 'tools'],
  json: (script) => {
    const { text, reasoning } = script
    const thinking = reasoning && { thinking: joined(reasoning) }
    return { ...head, response: joined(text) ?? '', ...thinking, ...ending(script) }
  },
  frames: (script) => [
    ...(script.reasoning ?? []).map((thinking) => line({ ...head, response: '', thinking, done: false })),
    ...(script.text ?? []).map((response) => line({ ...head, response, done: false })),
    line({ ...head, response: '', ...ending(script) }),
  ],
}

function ending({ finish = 'stop', usage }: Script): object {
  const counts = { prompt_eval_count: COUNTS.input, eval_count: COUNTS.output }
  const done_reason = FINISHES[finish as keyof typeof FINISHES]
  return { done: true, done_reason, ...(usage !== 'absent' && counts) }
}

/** Ids came late to the protocol, and calls come whole. */
function toCall({ id, name, fragments }: ScriptedCall): object {
  const input: unknown = fragments === null ? null : JSON.parse(fragments.join(''))
  return { ...(id && { id }), function: { index: 0, name, arguments: input } }
}

function line(value: unknown): string {
  return `${JSON.stringify(value)}\n`
}
