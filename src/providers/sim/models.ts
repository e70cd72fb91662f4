/** The models that the lists name, in each vendor's form; any other name works as well. */

import { digest } from './random.ts'

const MODELS = ['sim-large', 'sim-small', 'sim-reasoning'] as const

const CONTEXT_TOKENS = 128_000
const SIZE_BYTES = 4_000_000_000

/** `GET /v1/models` as OpenAI and most others answer it, with the window as OpenRouter tells it. */
export function openaiModels(nowMs: number): unknown {
  const created = Math.floor(nowMs / 1000)
  return {
    object: 'list',
    data: MODELS.map((id) => ({
      id,
      object: 'model',
      created,
      owned_by: 'turnkeeper-sim',
      context_length: CONTEXT_TOKENS,
    })),
  }
}

/** `GET /v1/models` as Anthropic answers it, to clients that send `anthropic-version`. */
export function anthropicModels(nowMs: number): unknown {
  return {
    data: MODELS.map((id) => ({
      type: 'model',
      id,
      display_name: id,
      created_at: new Date(nowMs).toISOString(),
      max_input_tokens: CONTEXT_TOKENS,
    })),
    has_more: false,
    first_id: MODELS[0],
    last_id: MODELS.at(-1),
  }
}

/** `GET /api/tags`, Ollama's list. */
export function ollamaModels(nowMs: number): unknown {
  return {
    models: MODELS.map((name) => ({
      name,
      model: name,
      modified_at: new Date(nowMs).toISOString(),
      size: SIZE_BYTES,
      digest: digest(name),
      details: {
        parent_model: '',
        format: 'gguf',
        family: 'sim',
        families: ['sim'],
        parameter_size: '8B',
        quantization_level: 'Q4_K_M',
      },
    })),
  }
}
