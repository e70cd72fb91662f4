/** The model lists of the vendors' own APIs: where they are, and what they say. Pure. */

import { asArray, asObject, asText, type JsonObject } from '../narrow.ts'
import type { TabledProtocol } from '../parameters/tables.ts'
import type { ModelInfo, Price } from './model-info.ts'

export type ModelList = {
  /** After the base URL, query included. */
  readonly path: string
  /** Leaves out what has no name; never throws. */
  toModels(body: unknown): readonly ModelInfo[]
}

const openaiList: ModelList = {
  path: '/models',
  toModels: (body) => entriesOf(body, 'data').flatMap(openaiEntry),
}

/** By protocol; null where there is no server to ask. */
export const MODEL_LISTS: Readonly<Record<TabledProtocol, ModelList | null>> = {
  'openai-chat': openaiList,
  'openai-responses': openaiList,
  anthropic: {
    path: '/v1/models?limit=1000',
    toModels: (body) => entriesOf(body, 'data').flatMap(anthropicEntry),
  },
  ollama: { path: '/api/tags', toModels: (body) => entriesOf(body, 'models').flatMap(ollamaEntry) },
  'llamacpp-cli': null,
}

/** OpenAI says only the name; OpenRouter, Groq, Mistral, xAI and llama.cpp say more, each in fields of its own. */
function openaiEntry(entry: JsonObject): readonly ModelInfo[] {
  const id = asText(entry.id)
  if (id === undefined || id === '') return []
  const window =
    count(entry.context_length) ??
    count(entry.context_window) ??
    count(entry.max_context_length) ??
    count(asObject(entry.meta)?.n_ctx)
  const output =
    count(asObject(entry.top_provider)?.max_completion_tokens) ?? count(entry.max_completion_tokens)
  return [
    info(id, {
      contextWindow: window,
      maxOutputTokens: output,
      price: openrouterPrice(asObject(entry.pricing)),
      ...openrouterAbilities(entry),
      ...mistralAbilities(asObject(entry.capabilities)),
    }),
  ]
}

/** https://openrouter.ai/docs/api-reference/list-available-models: dollars a token, as text; -1 where it varies. */
function openrouterPrice(pricing: JsonObject | undefined): Price | undefined {
  const inputUsd = perMillion(pricing?.prompt)
  const outputUsd = perMillion(pricing?.completion)
  if (inputUsd === undefined || outputUsd === undefined) return undefined
  const cachedInputUsd = perMillion(pricing?.input_cache_read)
  return { inputUsd, outputUsd, ...(cachedInputUsd !== undefined && { cachedInputUsd }) }
}

function openrouterAbilities({ architecture, supported_parameters }: JsonObject): Partial<ModelInfo> {
  const inputs = texts(asObject(architecture)?.input_modalities)
  const parameters = texts(supported_parameters)
  return {
    ...(inputs && { inputs: inputs.filter((kind) => kind !== 'text'), vision: inputs.includes('image') }),
    ...(parameters && {
      tools: parameters.includes('tools'),
      jsonMode: parameters.includes('response_format'),
      jsonSchema: parameters.includes('structured_outputs'),
    }),
  }
}

/** https://docs.mistral.ai/api/#tag/models */
function mistralAbilities(capabilities: JsonObject | undefined): Partial<ModelInfo> {
  const { function_calling: tools, vision } = capabilities ?? {}
  return {
    ...(typeof tools === 'boolean' && { tools }),
    ...(typeof vision === 'boolean' && { vision }),
  }
}

/** https://platform.claude.com/docs/en/api/models/list */
function anthropicEntry(entry: JsonObject): readonly ModelInfo[] {
  const id = asText(entry.id)
  if (id === undefined || id === '') return []
  const vision = asObject(asObject(entry.capabilities)?.image_input)?.supported
  const jsonSchema = asObject(asObject(entry.capabilities)?.structured_outputs)?.supported
  return [
    info(id, {
      contextWindow: count(entry.max_input_tokens),
      maxOutputTokens: count(entry.max_tokens),
      ...(typeof vision === 'boolean' && { vision }),
      ...(typeof jsonSchema === 'boolean' && { jsonSchema }),
    }),
  ]
}

/** https://docs.ollama.com/api/tags; newer servers say what a model can. */
function ollamaEntry(entry: JsonObject): readonly ModelInfo[] {
  const id = asText(entry.model) ?? asText(entry.name)
  if (id === undefined || id === '') return []
  const abilities = texts(entry.capabilities)
  return [
    info(id, {
      contextWindow: count(asObject(entry.details)?.context_length),
      ...(abilities && { tools: abilities.includes('tools'), vision: abilities.includes('vision') }),
    }),
  ]
}

type Findings = { readonly [Key in keyof Omit<ModelInfo, 'id'>]: ModelInfo[Key] | undefined }

/** Without what was not found. */
function info(id: string, findings: Findings): ModelInfo {
  const found = Object.entries(findings).filter(([, value]) => value !== undefined)
  return { id, ...Object.fromEntries(found) }
}

function entriesOf(body: unknown, key: string): readonly JsonObject[] {
  // Some servers answer with the bare list.
  const list = Array.isArray(body) ? asArray(body) : asArray(asObject(body)?.[key])
  return list.flatMap((entry) => {
    const object = asObject(entry)
    return object === undefined ? [] : [object]
  })
}

function count(value: unknown): number | undefined {
  return typeof value === 'number' && Number.isFinite(value) && value > 0 ? Math.floor(value) : undefined
}

function perMillion(value: unknown): number | undefined {
  const perToken = typeof value === 'string' ? Number.parseFloat(value) : value
  if (typeof perToken !== 'number' || !Number.isFinite(perToken) || perToken < 0) return undefined
  return Number((perToken * 1e6).toPrecision(12))
}

function texts(value: unknown): readonly string[] | undefined {
  return Array.isArray(value) ? value.filter((item) => typeof item === 'string') : undefined
}
