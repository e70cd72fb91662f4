import type { ParameterTable } from './rule.ts'

/** https://docs.ollama.com/api/chat and https://docs.ollama.com/modelfile: everything but `think` is an option. */
export const OLLAMA: ParameterTable = {
  maxTokens: { wire: 'options.num_predict', type: 'integer', min: 1, required: true },
  contextWindow: { wire: 'options.num_ctx', type: 'integer', min: 1 },
  temperature: { wire: 'options.temperature', type: 'number', min: 0, max: 2 },
  topP: { wire: 'options.top_p', type: 'number', min: 0, max: 1 },
  topK: { wire: 'options.top_k', type: 'integer', min: 0 },
  minP: { wire: 'options.min_p', type: 'number', min: 0, max: 1 },
  stop: { wire: 'options.stop', type: 'texts' },
  seed: { wire: 'options.seed', type: 'integer', min: 0, max: 2_147_483_647 },
  presencePenalty: { wire: 'options.presence_penalty', type: 'number', min: -2, max: 2 },
  frequencyPenalty: { wire: 'options.frequency_penalty', type: 'number', min: -2, max: 2 },
  repeatPenalty: { wire: 'options.repeat_penalty', type: 'number', min: 0, max: 2 },
  reasoningEffort: {
    wire: 'think',
    type: 'words',
    values: ['none', 'low', 'medium', 'high'],
    spelling: { none: false },
    note: 'levels are for models that know them',
  },
}
