import type { ParameterTable } from './rule.ts'

/** https://platform.openai.com/docs/api-reference/responses/create: no stop, no seed, no penalties. */
export const OPENAI_RESPONSES: ParameterTable = {
  maxTokens: { wire: 'max_output_tokens', type: 'integer', min: 16, required: true },
  temperature: { wire: 'temperature', type: 'number', min: 0, max: 2 },
  topP: { wire: 'top_p', type: 'number', min: 0, max: 1 },
  parallelToolCalls: { wire: 'parallel_tool_calls', type: 'boolean', onlyWithTools: true },
  reasoningEffort: {
    wire: 'reasoning.effort',
    type: 'words',
    values: ['none', 'minimal', 'low', 'medium', 'high', 'xhigh'],
    note: 'which words a model knows depends on the model',
  },
}
