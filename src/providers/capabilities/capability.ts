import type { ContentPart, ModelRequest } from '../types.ts'

/** What one may ask of a route, with what it means. */
export const CAPABILITIES = {
  streaming: 'answers as an event stream',
  vision: 'sees images',
  multimodal: 'takes in more than text and images: audio, video, files',
  tools: 'calls tools',
  json_mode: 'answers in JSON when asked to',
  json_schema: 'answers in JSON of a given schema',
  system_prompts: 'takes instructions apart from the conversation',
  token_counting: 'its tokens can be counted before the call',
  extended_context: 'has a window of 100,000 tokens and more',
  cost_tracking: 'its price is known, so that costs are booked',
} as const satisfies Record<string, string>

export type Capability = keyof typeof CAPABILITIES

export const CAPABILITY_NAMES = Object.keys(CAPABILITIES) as readonly Capability[] // the record has exactly these keys

/** `can` is null where nobody has said. `ofFormat`: it is the wire format that cannot, whatever the model. */
export type Ability = { readonly can: boolean | null; readonly note?: string; readonly ofFormat?: true }

/** All that is known of what a route can. */
export type RouteCapabilities = Readonly<Record<Capability, Ability>> & {
  /** Tokens; null where it is not known. */
  readonly contextWindow: number | null
  readonly maxOutputTokens: number | null
}

/** What a request needs of a route. JSON is not among it: a route without JSON mode is asked in plain words. */
export function neededBy({ messages, tools = [] }: ModelRequest): readonly Capability[] {
  const hasImages = messages.some(({ content }) => typeof content !== 'string' && content.some(isImage))
  return neededFor({ tools: tools.length > 0, images: hasImages })
}

const NOTHING: readonly Capability[] = []
const VISION: readonly Capability[] = ['vision']
const TOOLS: readonly Capability[] = ['tools']
const VISION_AND_TOOLS: readonly Capability[] = ['vision', 'tools']

/** The same of a request of which only this is known. */
export function neededFor({ tools, images }: { tools: boolean; images: boolean }): readonly Capability[] {
  if (images) return tools ? VISION_AND_TOOLS : VISION
  return tools ? TOOLS : NOTHING
}

/** The same request with words in the place of its images, for routes that do not see. */
export function withoutImages(request: ModelRequest): ModelRequest {
  const messages = request.messages.map((message) => {
    if (message.role === 'assistant' || typeof message.content === 'string') return message
    return { ...message, content: message.content.map(imageToText) }
  })
  return { ...request, messages }
}

function isImage({ type }: ContentPart): boolean {
  return type === 'image'
}

function imageToText(part: ContentPart): ContentPart {
  return part.type === 'image'
    ? { type: 'text', text: '[An image stood here; this model cannot see it.]' }
    : part
}
