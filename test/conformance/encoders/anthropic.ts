import { parseJson } from '../../../src/providers/narrow.ts'
import { COUNTS, type Encoder, joined, type Script, type ScriptedCall, sse } from './encoder.ts'

const FINISHES = {
  stop: 'end_turn',
  length: 'max_tokens',
  tool_calls: 'tool_use',
  refusal: 'refusal',
  other: 'pause_turn',
} as const

/** Cached input is counted beside the rest. */
const usage = {
  input_tokens: COUNTS.input - COUNTS.cached,
  cache_read_input_tokens: COUNTS.cached,
  cache_creation_input_tokens: 0,
  output_tokens: COUNTS.output,
  output_tokens_details: { thinking_tokens: COUNTS.reasoning },
}

export const anthropicEncoder: Encoder = {
  protocol: 'anthropic',
  label: 'anthropic',
  contentType: 'text/event-stream',
  finishes: FINISHES,
  lacks: ['total'],
  json: (script) => ({
    ...head,
    content: blocks(script).map(({ whole }) => whole),
    ...ending(script),
    ...(script.usage !== 'absent' && { usage }),
  }),
  frames: (script) => {
    const { usage: when = 'normal' } = script
    const counts = when === 'absent' ? {} : { usage }
    const early = when === 'absent' ? {} : { usage: { ...usage, output_tokens: 1 } }
    return [
      named({ type: 'message_start', message: { ...head, content: [], stop_reason: null, ...early } }),
      named({ type: 'ping' }),
      ...blocks(script).flatMap(blockFrames),
      named({ type: 'message_delta', delta: ending(script), ...counts }),
      named({ type: 'message_stop' }),
    ]
  },
  endFrames: () => 2,
  errorBody: (message) => ({ type: 'error', error: { type: 'api_error', message } }),
  errorFrame: (message) => named({ type: 'error', error: { type: 'api_error', message } }),
}

const head = { id: 'msg_1', type: 'message', role: 'assistant', model: 'm-2026' }

type Block = {
  readonly whole: object
  readonly start: object
  readonly deltas: readonly object[]
}

function ending({ finish = 'stop', refusal }: Script): object {
  const stop_reason = FINISHES[finish as keyof typeof FINISHES]
  return { stop_reason, ...(refusal && { stop_details: { type: 'refusal', explanation: refusal } }) }
}

function blocks({ reasoning, text, calls = [] }: Script): readonly Block[] {
  const search = { type: 'server_tool_use', id: 'srv_1', name: 'web_search', input: {} }
  return [
    { whole: search, start: search, deltas: [{ type: 'input_json_delta', partial_json: '{"query":"x"}' }] },
    ...(reasoning ? [thinkingBlock(reasoning)] : []),
    // A citation cuts the text in two blocks.
    ...(text ?? []).map((piece) => ({
      whole: { type: 'text', text: piece },
      start: { type: 'text', text: '' },
      deltas: [
        { type: 'text_delta', text: piece },
        { type: 'citations_delta', citation: {} },
      ],
    })),
    ...calls.map(callBlock),
  ]
}

function thinkingBlock(pieces: readonly string[]): Block {
  return {
    whole: { type: 'thinking', thinking: joined(pieces), signature: 'sig' },
    start: { type: 'thinking', thinking: '', signature: '' },
    deltas: [
      ...pieces.map((thinking) => ({ type: 'thinking_delta', thinking })),
      { type: 'signature_delta', signature: 'sig' },
    ],
  }
}

function callBlock({ id = '', name, fragments }: ScriptedCall): Block {
  const block = { type: 'tool_use', id, name }
  return {
    whole: { ...block, input: fragments === null ? null : parseJson(fragments.join(''))?.value },
    start: { ...block, input: fragments === null ? null : {} },
    deltas: (fragments ?? []).map((partial_json) => ({ type: 'input_json_delta', partial_json })),
  }
}

function blockFrames({ start, deltas }: Block, index: number): string[] {
  return [
    named({ type: 'content_block_start', index, content_block: start }),
    ...deltas.map((delta) => named({ type: 'content_block_delta', index, delta })),
    named({ type: 'content_block_stop', index }),
  ]
}

function named(event: { readonly type: string; readonly [field: string]: unknown }): string {
  return sse(event, event.type)
}
