/**
 * Parameters of `POST …/chat/completions`: what OpenAI documents, and how the dialects differ from it.
 * A row says what the API accepts; single models accept less, and the vendor then refuses by name.
 */

import { EFFORTS, type ParameterRule, type ParameterTable } from './rule.ts'

const count: ParameterRule = { wire: 'max_tokens', type: 'integer', min: 1, required: true }
const penalty = (wire: string): ParameterRule => ({ wire, type: 'number', min: -2, max: 2 })
const share = (wire: string): ParameterRule => ({ wire, type: 'number', min: 0, max: 1 })
const effort = (...values: readonly string[]): ParameterRule => ({
  wire: 'reasoning_effort',
  type: 'words',
  values,
})

/** What nearly every server of this protocol understands. */
const common = {
  maxTokens: count,
  temperature: { wire: 'temperature', type: 'number', min: 0, max: 2 },
  topP: share('top_p'),
  stop: { wire: 'stop', type: 'texts', maxItems: 4 },
  seed: { wire: 'seed', type: 'integer', min: Number.MIN_SAFE_INTEGER, max: Number.MAX_SAFE_INTEGER },
  presencePenalty: penalty('presence_penalty'),
  frequencyPenalty: penalty('frequency_penalty'),
  parallelToolCalls: { wire: 'parallel_tool_calls', type: 'boolean', onlyWithTools: true },
} as const satisfies ParameterTable

/** OpenAI deprecated `max_tokens`, and its reasoning models refuse it. */
const completionTokens: ParameterRule = { ...count, wire: 'max_completion_tokens' }

/** https://platform.openai.com/docs/api-reference/chat/create */
const openai: ParameterTable = {
  ...common,
  maxTokens: completionTokens,
  reasoningEffort: {
    ...effort('none', 'minimal', 'low', 'medium', 'high', 'xhigh'),
    note: 'which words a model knows depends on the model',
  },
}

/** https://docs.mistral.ai/api: refuses unknown fields with 422. */
const mistral: ParameterTable = {
  ...common,
  temperature: { ...common.temperature, max: 1.5 },
  seed: { ...common.seed, wire: 'random_seed', min: 0 },
  stop: { wire: 'stop', type: 'texts' },
  reasoningEffort: effort('none', 'high'),
}

const { seed: _noSeed, parallelToolCalls: _noParallel, ...deepseekCommon } = common

/** https://api-docs.deepseek.com/api/create-chat-completion: no seed, up to 16 stop sequences. */
const deepseek: ParameterTable = {
  ...deepseekCommon,
  stop: { wire: 'stop', type: 'texts', maxItems: 16 },
  reasoningEffort: { ...effort('high', 'max'), beside: { 'thinking.type': 'enabled' } },
}

/** https://openrouter.ai/docs/api_reference/parameters; reasoning by effort or by tokens, never both. */
const openrouter: ParameterTable = {
  ...common,
  topK: { wire: 'top_k', type: 'integer', min: 0 },
  minP: share('min_p'),
  repeatPenalty: { wire: 'repetition_penalty', type: 'number', min: 0, max: 2 },
  reasoningEffort: {
    ...effort(...EFFORTS.filter((word) => word !== 'max')),
    wire: 'reasoning.effort',
    excludes: ['reasoningTokens'],
  },
  reasoningTokens: { wire: 'reasoning.max_tokens', type: 'integer', min: 1 },
}

/** https://docs.x.ai: reasoning models refuse the penalties and `stop`. */
const xai: ParameterTable = {
  ...common,
  maxTokens: completionTokens,
  stop: { ...common.stop, note: 'refused by reasoning models' },
  presencePenalty: { ...common.presencePenalty, note: 'refused by reasoning models' },
  frequencyPenalty: { ...common.frequencyPenalty, note: 'refused by reasoning models' },
  reasoningEffort: effort('none', 'low', 'medium', 'high', 'xhigh'),
}

/** https://github.com/ggml-org/llama.cpp/blob/master/tools/server/README.md: any temperature, many samplers. */
const llamacpp: ParameterTable = {
  ...common,
  temperature: { wire: 'temperature', type: 'number', min: 0 },
  stop: { wire: 'stop', type: 'texts' },
  topK: { wire: 'top_k', type: 'integer', min: 0 },
  minP: share('min_p'),
  repeatPenalty: { wire: 'repeat_penalty', type: 'number', min: 0 },
}

/** https://docs.ollama.com/api/openai-compatibility: the window and the samplers are in its own protocol alone. */
const ollama: ParameterTable = {
  ...deepseekCommon,
  seed: common.seed,
  stop: { wire: 'stop', type: 'texts' },
  reasoningEffort: effort('none', 'low', 'medium', 'high'),
}

/** By the name of the dialect. */
export const OPENAI_CHAT = {
  generic: { ...common, reasoningEffort: effort(...EFFORTS) },
  openai,
  azure: openai,
  openrouter,
  // https://console.groq.com/docs/api-reference#chat-create
  groq: {
    ...common,
    maxTokens: completionTokens,
    reasoningEffort: { ...effort('none', 'low', 'medium', 'high') },
  },
  mistral,
  deepseek,
  xai,
  llamacpp,
  ollama,
} as const satisfies Record<string, ParameterTable>
