/** What each route can: what its protocol and dialect allow, corrected by what is known of its model. */

import type { ModelInfo } from '../models/model-info.ts'
import type { TabledProtocol } from '../parameters/tables.ts'
import { type Ability, CAPABILITY_NAMES, type Capability, type RouteCapabilities } from './capability.ts'

/** What a wire format can carry; what it says nothing of depends on the model. */
type Format = Readonly<Partial<Record<Capability, Ability>>>

const yes: Ability = { can: true }
const no = (note: string): Ability => ({ can: false, note, ofFormat: true })

const FORMATS: Readonly<Record<TabledProtocol, Format>> = {
  'openai-chat': { streaming: yes, json_mode: yes, system_prompts: yes },
  'openai-responses': { streaming: yes, json_mode: yes, json_schema: yes, system_prompts: yes },
  anthropic: {
    streaming: yes,
    json_mode: no('a schema or plain words instead'),
    system_prompts: yes,
  },
  ollama: { streaming: yes, json_mode: yes, json_schema: yes, system_prompts: yes },
  'llamacpp-cli': {
    streaming: { can: true, note: 'as the process prints' },
    vision: no('the process is given text alone'),
    multimodal: no('the process is given text alone'),
    tools: no('the process is given text alone'),
    json_mode: yes,
    json_schema: { can: true, note: 'by a grammar' },
    system_prompts: yes,
  },
}

/** Where a dialect of `openai-chat` differs. */
const DIALECTS: Readonly<Record<string, Format>> = {
  openai: { json_schema: yes },
  azure: { json_schema: yes },
  mistral: { json_schema: yes },
  xai: { json_schema: yes },
  llamacpp: { json_schema: yes },
  deepseek: { json_schema: no('JSON mode and the schema in words instead'), vision: no('text alone') },
}

const EXTENDED_CONTEXT_TOKENS = 100_000

export type RouteNature = {
  readonly protocol: TabledProtocol
  readonly dialect: string
  readonly model: ModelInfo
}

/** Everything that is known of a route. Pure. */
export function capabilitiesOf({ protocol, dialect, model }: RouteNature): RouteCapabilities {
  const format: Format = {
    ...FORMATS[protocol],
    ...(protocol === 'openai-chat' && Object.hasOwn(DIALECTS, dialect) && DIALECTS[dialect]),
  }
  const known: Format = { ...modelAbilities(model), ...refusalsOf(format) }
  const abilities = CAPABILITY_NAMES.map((name) => [name, known[name] ?? format[name] ?? { can: null }])
  return {
    // Every name of the list is there.
    ...(Object.fromEntries(abilities) as Readonly<Record<Capability, Ability>>),
    contextWindow: model.contextWindow ?? null,
    maxOutputTokens: model.maxOutputTokens ?? null,
  }
}

/** What a model can that its format cannot carry does not help. */
function refusalsOf(format: Format): Format {
  return Object.fromEntries(Object.entries(format).filter(([, { can }]) => can === false))
}

function modelAbilities({
  vision,
  tools,
  jsonMode,
  jsonSchema,
  inputs,
  contextWindow,
  price,
  id,
}: ModelInfo): Format {
  const isOpenai = /^(?:.*\/)?(?:gpt-|o\d|chatgpt)/.test(id)
  const others = inputs?.filter((kind) => kind !== 'image')
  return {
    ...(vision !== undefined && { vision: { can: vision } }),
    ...(tools !== undefined && { tools: { can: tools } }),
    ...(jsonMode !== undefined && { json_mode: { can: jsonMode } }),
    ...(jsonSchema !== undefined && { json_schema: { can: jsonSchema } }),
    ...(others && {
      multimodal: { can: others.length > 0, ...(others.length > 0 && { note: others.join(', ') }) },
    }),
    token_counting: { can: true, note: isOpenai ? 'exact' : 'approximate' },
    ...(contextWindow !== undefined && {
      extended_context: { can: contextWindow >= EXTENDED_CONTEXT_TOKENS, note: `${contextWindow} tokens` },
    }),
    cost_tracking: price ? yes : { can: false, note: 'no price is known' },
  }
}
