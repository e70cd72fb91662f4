import { COUNTS, type Encoder, joined, type Script, type ScriptedCall, sse } from './encoder.ts'

const FINISHES = {
  stop: 'completed',
  length: 'max_output_tokens',
  tool_calls: 'completed',
  content_filter: 'content_filter',
  refusal: 'completed',
} as const

const usage = {
  input_tokens: COUNTS.input,
  input_tokens_details: { cached_tokens: COUNTS.cached },
  output_tokens: COUNTS.output,
  output_tokens_details: { reasoning_tokens: COUNTS.reasoning },
  total_tokens: COUNTS.input + COUNTS.output,
}

export const openaiResponsesEncoder: Encoder = {
  protocol: 'openai-responses',
  label: 'openai-responses',
  contentType: 'text/event-stream',
  finishes: FINISHES,
  lacks: [],
  json: response,
  frames: (script) => {
    const started = { id: 'resp_1', object: 'response', model: 'm-2026', status: 'in_progress', output: [] }
    const type = response(script).status === 'completed' ? 'response.completed' : 'response.incomplete'
    return [
      named({ type: 'response.created', response: started }),
      ...items(script).flatMap((item, index) => itemFrames(script, item, index)),
      named({ type, response: response(script) }),
    ]
  },
  endFrames: () => 1,
  errorBody: (message) => ({
    id: 'resp_1',
    status: 'failed',
    error: { code: 'server_error', message },
    output: [],
  }),
  errorFrame: (message) => named({ type: 'error', code: 'server_error', message, param: null }),
}

type Item = {
  readonly type: string
  readonly id: string
  readonly source?: ScriptedCall
  readonly body: object
}

function response(script: Script): { readonly status: string; readonly [field: string]: unknown } {
  const raw = FINISHES[(script.finish ?? 'stop') as keyof typeof FINISHES]
  const isCompleted = raw === 'completed'
  return {
    id: 'resp_1',
    object: 'response',
    model: 'm-2026',
    status: isCompleted ? 'completed' : 'incomplete',
    incomplete_details: isCompleted ? null : { reason: raw },
    output: items(script).map(({ type, id, body }) => ({ type, id, ...body })),
    usage: script.usage === 'absent' ? null : usage,
  }
}

function items({ reasoning, text, refusal, calls = [] }: Script): readonly Item[] {
  const content = [
    ...(text ? [{ type: 'output_text', text: joined(text), annotations: [] }] : []),
    ...(refusal ? [{ type: 'refusal', refusal }] : []),
  ]
  const summary = [{ type: 'summary_text', text: joined(reasoning) }]
  return [
    { type: 'web_search_call', id: 'ws_1', body: { status: 'completed' } },
    ...(reasoning ? [{ type: 'reasoning', id: 'rs_1', body: { summary } }] : []),
    ...(content.length > 0 ? [{ type: 'message', id: 'msg_1', body: { role: 'assistant', content } }] : []),
    ...calls.map((source, index) => ({
      type: 'function_call',
      id: `fc_${index}`,
      source,
      body: { call_id: source.id ?? '', name: source.name, arguments: source.fragments?.join('') ?? null },
    })),
  ]
}

function itemFrames(script: Script, { type, id, source, body }: Item, index: number): string[] {
  const at = { item_id: id, ...(!script.withoutIndex && { output_index: index }) }
  const pieces = (name: string, deltas: readonly string[] = []): string[] =>
    deltas.map((delta) => named({ type: `response.${name}.delta`, ...at, delta }))
  const isText = type === 'message'
  return [
    named({ type: 'response.output_item.added', ...at, item: { type, id, ...(source && body) } }),
    ...(type === 'reasoning' ? pieces('reasoning_summary_text', script.reasoning) : []),
    ...(isText ? pieces('output_text', script.text) : []),
    ...(isText && script.refusal ? pieces('refusal', [script.refusal]) : []),
    ...pieces('function_call_arguments', source?.fragments ?? []),
    named({ type: 'response.output_item.done', ...at, item: { type, id, ...body } }),
  ]
}

function named(event: { readonly type: string; readonly [field: string]: unknown }): string {
  return sse(event, event.type)
}
