/** Reads the body of an Anthropic messages request into the neutral form. */

import { z } from 'zod'
import type { ContentPart, ImageContent, Message, ResponseFormat, ToolChoice } from '../../types.ts'
import type { Decoded, SimRequest } from '../types.ts'
import { accepted, callNames, NO_INPUT, refusedBody, simplified } from './decoded.ts'

const textSchema = z.looseObject({ type: z.literal('text'), text: z.string() })
const imageSchema = z.looseObject({
  type: z.literal('image'),
  source: z.discriminatedUnion('type', [
    z.looseObject({ type: z.literal('base64'), media_type: z.string(), data: z.string() }),
    z.looseObject({ type: z.literal('url'), url: z.string() }),
  ]),
})
const shownSchema = z.union([z.string(), z.array(z.discriminatedUnion('type', [textSchema, imageSchema]))])
const blockSchema = z.discriminatedUnion('type', [
  textSchema,
  imageSchema,
  z.looseObject({
    type: z.literal('tool_use'),
    id: z.string().min(1),
    name: z.string().min(1),
    input: z.unknown(),
  }),
  z.looseObject({
    type: z.literal('tool_result'),
    tool_use_id: z.string().min(1),
    content: shownSchema.optional(),
    is_error: z.boolean().optional(),
  }),
  z.looseObject({ type: z.literal('thinking'), thinking: z.string(), signature: z.string() }),
  z.looseObject({ type: z.literal('redacted_thinking'), data: z.string() }),
])
const messageSchema = z.looseObject({
  role: z.enum(['user', 'assistant', 'system']),
  content: z.union([z.string(), z.array(blockSchema)]),
})
const toolSchema = z.looseObject({
  name: z.string().min(1),
  description: z.string().optional(),
  input_schema: z.record(z.string(), z.unknown()).optional(),
})
const bodySchema = z.looseObject({
  model: z.string().min(1),
  max_tokens: z.int().positive(),
  messages: z.array(messageSchema).min(1),
  system: z.union([z.string(), z.array(textSchema)]).optional(),
  stream: z.boolean().optional(),
  tools: z.array(toolSchema).optional(),
  tool_choice: z
    .looseObject({
      type: z.enum(['auto', 'any', 'tool', 'none']),
      name: z.string().optional(),
      disable_parallel_tool_use: z.boolean().optional(),
    })
    .optional(),
  thinking: z.looseObject({ type: z.string() }).optional(),
  output_config: z
    .looseObject({
      format: z
        .looseObject({ type: z.literal('json_schema'), schema: z.record(z.string(), z.unknown()) })
        .nullish(),
    })
    .optional(),
})

type Body = z.infer<typeof bodySchema>
type Block = z.infer<typeof blockSchema>
type WireMessage = z.infer<typeof messageSchema>

/** Refuses what the real service refuses: unknown shapes, no `max_tokens`, tool calls without results. */
export function decodeMessagesRequest(body: unknown): Decoded {
  const parsed = bodySchema.safeParse(body)
  return parsed.success ? accepted(toRequest(parsed.data), 'messages') : refusedBody(parsed.error)
}

function toRequest(body: Body): SimRequest {
  const { model, stream, tools = [], tool_choice: choice, thinking, max_tokens: maxTokens } = body
  return {
    model,
    stream: stream === true,
    includeUsage: true,
    ...(thinking && { thinking: thinking.type !== 'disabled' }),
    signedReasoning: true,
    messages: toMessages(body),
    tools: tools.map(({ name, description = '', input_schema: inputSchema = NO_INPUT }) => ({
      name,
      description,
      inputSchema,
    })),
    toolChoice: toToolChoice(choice),
    responseFormat: toResponseFormat(body),
    parameters: { maxTokens, ...(choice?.disable_parallel_tool_use && { parallelToolCalls: false }) },
  }
}

function toMessages({ system, messages: wire }: Body): readonly Message[] {
  const messages: Message[] = []
  if (system !== undefined) messages.push({ role: 'system', content: textOf(system) })
  for (const message of wire) messages.push(...toNeutral(message, messages))
  return messages
}

/** Results of tools stand in a message of the user here, before what he says. */
function toNeutral({ role, content }: WireMessage, before: readonly Message[]): readonly Message[] {
  if (role !== 'user')
    return [role === 'assistant' ? toAssistant(content) : { role, content: textOf(content) }]
  if (typeof content === 'string') return [{ role, content }]
  const names = callNames(before)
  const results = content.flatMap((block): Message[] =>
    block.type === 'tool_result' ? [toResult(block, names)] : [],
  )
  const said = content.flatMap((block) =>
    block.type === 'text' || block.type === 'image' ? [toPart(block)] : [],
  )
  return said.length === 0 && results.length > 0 ? results : [...results, { role, content: simplified(said) }]
}

function toResult(
  { tool_use_id: toolCallId, content = '', is_error: isError }: Extract<Block, { type: 'tool_result' }>,
  names: ReadonlyMap<string, string>,
): Message {
  return {
    role: 'tool',
    toolCallId,
    name: names.get(toolCallId) ?? 'unknown',
    content: typeof content === 'string' ? content : simplified(content.map(toPart)),
    ...(isError === true && { isError }),
  }
}

function toAssistant(content: WireMessage['content']): Message {
  if (typeof content === 'string') return { role: 'assistant', content }
  const toolCalls = content.flatMap((block) =>
    block.type === 'tool_use' ? [{ id: block.id, name: block.name, input: block.input }] : [],
  )
  const thinking = content.find((block) => block.type === 'thinking')
  return {
    role: 'assistant',
    content: textOf(content),
    ...(thinking && { reasoning: { text: thinking.thinking, signature: thinking.signature } }),
    toolCalls,
  }
}

function toPart(block: z.infer<typeof textSchema> | z.infer<typeof imageSchema>): ContentPart {
  return block.type === 'text' ? { type: 'text', text: block.text } : toImage(block)
}

function toImage({ source }: z.infer<typeof imageSchema>): ImageContent {
  return source.type === 'url'
    ? { type: 'image', url: source.url }
    : { type: 'image', mediaType: source.media_type, data: source.data }
}

function textOf(content: string | readonly Block[]): string {
  if (typeof content === 'string') return content
  return content.map((block) => (block.type === 'text' ? block.text : '')).join('')
}

function toToolChoice(choice: Body['tool_choice']): ToolChoice {
  switch (choice?.type) {
    case 'any':
      return 'required'
    case 'none':
      return 'none'
    case 'tool':
      return choice.name === undefined ? 'required' : { name: choice.name }
    default:
      return 'auto'
  }
}

function toResponseFormat({ output_config: config }: Body): ResponseFormat {
  const schema = config?.format?.schema
  return schema === undefined ? { type: 'text' } : { type: 'json_schema', name: 'answer', schema }
}
