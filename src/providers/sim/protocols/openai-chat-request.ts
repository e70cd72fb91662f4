/** Reads the body of an OpenAI chat completions request into the neutral form. */

import { z } from 'zod'
import type {
  ContentPart,
  Message,
  ModelParameters,
  ResponseFormat,
  ToolCall,
  ToolChoice,
} from '../../types.ts'
import type { Decoded, SimRequest } from '../types.ts'
import { accepted, imageOf, inputOf, NO_INPUT, refusedBody } from './decoded.ts'

const partSchema = z.looseObject({
  type: z.string(),
  text: z.string().optional(),
  image_url: z.looseObject({ url: z.string() }).optional(),
})
const contentSchema = z.union([z.string(), z.array(partSchema)]).nullish()
const toolCallSchema = z.looseObject({
  id: z.string().min(1),
  function: z.looseObject({ name: z.string().min(1), arguments: z.string() }),
})
const messageSchema = z.discriminatedUnion('role', [
  z.looseObject({ role: z.enum(['system', 'developer', 'user']), content: contentSchema }),
  z.looseObject({
    role: z.literal('assistant'),
    content: contentSchema,
    tool_calls: z.array(toolCallSchema).nullish(),
  }),
  z.looseObject({ role: z.literal('tool'), content: contentSchema, tool_call_id: z.string().min(1) }),
])
const toolSchema = z.looseObject({
  type: z.literal('function'),
  function: z.looseObject({
    name: z.string().min(1),
    description: z.string().optional(),
    parameters: z.record(z.string(), z.unknown()).optional(),
  }),
})
const bodySchema = z.looseObject({
  model: z.string().min(1),
  messages: z.array(messageSchema).min(1),
  stream: z.boolean().nullish(),
  stream_options: z.looseObject({ include_usage: z.boolean().nullish() }).nullish(),
  tools: z.array(toolSchema).nullish(),
  tool_choice: z
    .union([
      z.enum(['auto', 'none', 'required']),
      z.looseObject({ function: z.looseObject({ name: z.string() }) }),
    ])
    .nullish(),
  response_format: z
    .discriminatedUnion('type', [
      z.looseObject({ type: z.literal('text') }),
      z.looseObject({ type: z.literal('json_object') }),
      z.looseObject({
        type: z.literal('json_schema'),
        json_schema: z.looseObject({ name: z.string(), schema: z.record(z.string(), z.unknown()) }),
      }),
    ])
    .nullish(),
  max_tokens: z.int().positive().nullish(),
  max_completion_tokens: z.int().positive().nullish(),
  parallel_tool_calls: z.boolean().nullish(),
  reasoning_effort: z.string().nullish(),
})

type Body = z.infer<typeof bodySchema>
type WireMessage = Body['messages'][number]
type WireContent = z.infer<typeof contentSchema>

/** Refuses what the real service refuses: unknown shapes and transcripts with unanswered tool calls. */
export function decodeChatRequest(body: unknown): Decoded {
  const parsed = bodySchema.safeParse(body)
  if (!parsed.success) return refusedBody(parsed.error)
  return accepted(toRequest(parsed.data, toMessages(parsed.data.messages)), 'messages')
}

function toRequest(body: Body, messages: readonly Message[]): SimRequest {
  return {
    model: body.model,
    stream: body.stream === true,
    includeUsage: body.stream_options?.include_usage === true,
    ...(body.reasoning_effort != null && { thinking: body.reasoning_effort !== 'none' }),
    signedReasoning: false,
    messages,
    tools: (body.tools ?? []).map(({ function: tool }) => ({
      name: tool.name,
      description: tool.description ?? '',
      inputSchema: tool.parameters ?? NO_INPUT,
    })),
    toolChoice: toToolChoice(body.tool_choice),
    responseFormat: toResponseFormat(body.response_format),
    parameters: toParameters(body),
  }
}

function toMessages(wire: readonly WireMessage[]): readonly Message[] {
  const names = new Map<string, string>()
  return wire.map((message): Message => {
    switch (message.role) {
      case 'assistant': {
        const toolCalls = (message.tool_calls ?? []).map(toToolCall)
        for (const call of toolCalls) names.set(call.id, call.name)
        return { role: 'assistant', content: textOf(message.content), toolCalls }
      }
      case 'tool': {
        const toolCallId = message.tool_call_id
        return {
          role: 'tool',
          toolCallId,
          name: names.get(toolCallId) ?? 'unknown',
          content: toContent(message.content),
        }
      }
      case 'user':
        return { role: 'user', content: toContent(message.content) }
      default:
        return { role: 'system', content: toContent(message.content) }
    }
  })
}

function toToolCall({ id, function: call }: z.infer<typeof toolCallSchema>): ToolCall {
  return { id, name: call.name, input: inputOf(call.arguments) }
}

function toContent(content: WireContent): string | readonly ContentPart[] {
  if (!Array.isArray(content)) return content ?? ''
  return content.map(
    (part): ContentPart =>
      part.image_url === undefined ? { type: 'text', text: part.text ?? '' } : imageOf(part.image_url.url),
  )
}

function textOf(content: WireContent): string {
  if (!Array.isArray(content)) return content ?? ''
  return content.map((part) => part.text ?? '').join('')
}

function toToolChoice(choice: Body['tool_choice']): ToolChoice {
  return typeof choice === 'object' && choice !== null ? { name: choice.function.name } : (choice ?? 'auto')
}

function toResponseFormat(format: Body['response_format']): ResponseFormat {
  switch (format?.type) {
    case 'json_object':
      return { type: 'json' }
    case 'json_schema':
      return { type: 'json_schema', name: format.json_schema.name, schema: format.json_schema.schema }
    default:
      return { type: 'text' }
  }
}

function toParameters(body: Body): ModelParameters {
  const maxTokens = body.max_completion_tokens ?? body.max_tokens
  return {
    ...(maxTokens != null && { maxTokens }),
    ...(body.parallel_tool_calls != null && { parallelToolCalls: body.parallel_tool_calls }),
  }
}
