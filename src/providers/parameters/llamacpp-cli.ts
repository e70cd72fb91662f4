import type { ParameterTable } from './rule.ts'

/** Arguments of `llama-cli` (https://github.com/ggml-org/llama.cpp/blob/master/tools/cli/README.md); it has no stop sequences. */
export const LLAMACPP_CLI: ParameterTable = {
  maxTokens: { wire: '--predict', type: 'integer', min: 1, required: true },
  contextWindow: { wire: '--ctx-size', type: 'integer', min: 1 },
  temperature: { wire: '--temp', type: 'number', min: 0 },
  topP: { wire: '--top-p', type: 'number', min: 0, max: 1 },
  topK: { wire: '--top-k', type: 'integer', min: 0 },
  minP: { wire: '--min-p', type: 'number', min: 0, max: 1 },
  seed: { wire: '--seed', type: 'integer', min: 0, max: 4_294_967_295 },
  presencePenalty: { wire: '--presence-penalty', type: 'number', min: -2, max: 2 },
  frequencyPenalty: { wire: '--frequency-penalty', type: 'number', min: -2, max: 2 },
  repeatPenalty: { wire: '--repeat-penalty', type: 'number', min: 0 },
}
