import { expect, test } from 'vitest'
import { MODEL_LISTS } from '../../../src/providers/models/lists.ts'

test('OpenRouter says window, price, modalities and abilities', () => {
  const body = {
    data: [
      {
        id: 'z-ai/glm-4.6',
        context_length: 202_752,
        architecture: { input_modalities: ['text', 'image', 'file'] },
        pricing: { prompt: '0.0000004', completion: '0.00000175', input_cache_read: '0.00000008' },
        top_provider: { max_completion_tokens: 65_536 },
        supported_parameters: ['tools', 'response_format', 'temperature'],
      },
      { id: 'openrouter/auto', pricing: { prompt: '-1', completion: '-1' } },
      { name: 'nameless' },
    ],
  }
  expect(MODEL_LISTS['openai-chat']?.toModels(body)).toEqual([
    {
      id: 'z-ai/glm-4.6',
      contextWindow: 202_752,
      maxOutputTokens: 65_536,
      price: { inputUsd: 0.4, outputUsd: 1.75, cachedInputUsd: 0.08 },
      inputs: ['image', 'file'],
      vision: true,
      tools: true,
      jsonMode: true,
      jsonSchema: false,
    },
    { id: 'openrouter/auto' },
  ])
})

test('OpenAI, Groq and Mistral say what they say', () => {
  const body = {
    data: [
      { id: 'gpt-5-mini', object: 'model', owned_by: 'openai' },
      { id: 'llama-3.3-70b', context_window: 131_072, max_completion_tokens: 32_768 },
      {
        id: 'pixtral',
        max_context_length: 131_072,
        capabilities: { function_calling: true, vision: true },
      },
    ],
  }
  expect(MODEL_LISTS['openai-responses']?.toModels(body)).toEqual([
    { id: 'gpt-5-mini' },
    { id: 'llama-3.3-70b', contextWindow: 131_072, maxOutputTokens: 32_768 },
    { id: 'pixtral', contextWindow: 131_072, tools: true, vision: true },
  ])
})

test('Anthropic says windows and abilities', () => {
  const body = {
    data: [
      {
        type: 'model',
        id: 'claude-sonnet-5',
        max_input_tokens: 1_000_000,
        max_tokens: 128_000,
        capabilities: { image_input: { supported: true } },
      },
    ],
  }
  expect(MODEL_LISTS.anthropic?.toModels(body)).toEqual([
    { id: 'claude-sonnet-5', contextWindow: 1_000_000, maxOutputTokens: 128_000, vision: true },
  ])
})

test('Ollama names its local models', () => {
  const body = { models: [{ name: 'qwen3:8b', model: 'qwen3:8b', capabilities: ['completion', 'tools'] }] }
  expect(MODEL_LISTS.ollama?.toModels(body)).toEqual([{ id: 'qwen3:8b', tools: true, vision: false }])
})

test.each([null, 'text', {}, { data: null }, { data: [null, 7, []] }])('%j is a list of nothing', (body) => {
  for (const list of Object.values(MODEL_LISTS)) expect(list?.toModels(body) ?? []).toEqual([])
})
