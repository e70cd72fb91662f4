/**
 * How vendors of one protocol differ, as rows of data. A difference that fits in no column becomes a column
 * when a third vendor shares it.
 */

import type { ToolIdRule } from './neutral/tool-ids.ts'

/** One vendor's way of speaking a protocol; a column that a protocol does not know has no effect there. */
export type Dialect = {
  /** Its parameters stand under this name in `parameters/`. */
  readonly name: string
  /** Whether `stream_options: {include_usage: true}` may be sent; without it most report no usage in a stream. */
  readonly streamOptions: boolean
  /** The field in which earlier reasoning is sent back; null where the vendor wants none. */
  readonly reasoning: 'reasoning_content' | 'reasoning_details' | null
  /** Whether `response_format: json_schema` is known; otherwise `json_object` and the schema in words are sent. */
  readonly jsonSchema: boolean
  /** The header that carries the key of an OpenAI-style server. */
  readonly keyHeader: 'authorization' | 'api-key'
  /** The ids of tool calls that an OpenAI-style server accepts. */
  readonly toolIds: ToolIdRule
}

const generic: Dialect = {
  name: 'generic',
  streamOptions: true,
  reasoning: null,
  jsonSchema: true,
  keyHeader: 'authorization',
  // OpenAI refuses longer ones.
  toolIds: { accepted: /^.{1,40}$/s, digits: 32 },
}

/** Dialects, by the name that a configuration gives. */
export const DIALECTS = {
  generic,
  openai: { ...generic, name: 'openai' },
  azure: { ...generic, name: 'azure', keyHeader: 'api-key' },
  openrouter: { ...generic, name: 'openrouter', reasoning: 'reasoning_details' },
  groq: { ...generic, name: 'groq' },
  // Refuses unknown fields and longer ids of calls with 422, and reports usage in a stream unasked.
  mistral: {
    ...generic,
    name: 'mistral',
    streamOptions: false,
    toolIds: { accepted: /^[a-zA-Z0-9]{9}$/, digits: 9 },
  },
  // https://api-docs.deepseek.com/guides/thinking_mode#tool-calls: a tool loop must send reasoning back.
  deepseek: { ...generic, name: 'deepseek', reasoning: 'reasoning_content', jsonSchema: false },
  xai: { ...generic, name: 'xai' },
  llamacpp: { ...generic, name: 'llamacpp', reasoning: 'reasoning_content' },
  ollama: { ...generic, name: 'ollama' },
} as const satisfies Record<string, Dialect>

export type DialectName = keyof typeof DIALECTS
