import type { ParameterTable } from './rule.ts'

/**
 * https://platform.claude.com/docs/en/api/messages: no seed, no penalties; `max_tokens` must be there.
 * Thinking by tokens is for the models before adaptive thinking, effort for those since Opus 4.5.
 */
export const ANTHROPIC: ParameterTable = {
  maxTokens: { wire: 'max_tokens', type: 'integer', min: 1, required: true },
  temperature: {
    wire: 'temperature',
    type: 'number',
    min: 0,
    max: 1,
    excludes: ['reasoningTokens'],
    note: 'not together with thinking',
  },
  topP: { wire: 'top_p', type: 'number', min: 0, max: 1 },
  topK: { wire: 'top_k', type: 'integer', min: 0, excludes: ['reasoningTokens'] },
  stop: { wire: 'stop_sequences', type: 'texts' },
  parallelToolCalls: {
    wire: 'tool_choice.disable_parallel_tool_use',
    type: 'boolean',
    inverted: true,
    beside: { 'tool_choice.type': 'auto' },
    onlyWithTools: true,
  },
  reasoningEffort: {
    wire: 'output_config.effort',
    type: 'words',
    values: ['low', 'medium', 'high', 'xhigh', 'max'],
    note: 'since Opus 4.5; which words a model knows depends on the model',
  },
  reasoningTokens: {
    wire: 'thinking.budget_tokens',
    type: 'integer',
    min: 1024,
    beside: { 'thinking.type': 'enabled' },
    below: { name: 'reasoningTokens', limit: 'maxTokens' },
    note: 'less than maxTokens; for the models before adaptive thinking',
  },
}
