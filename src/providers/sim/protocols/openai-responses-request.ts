/** Reads the body of an OpenAI responses request into the neutral form. It keeps no responses: all input comes along. */

import { z } from 'zod'
import type { ContentPart, Message, ResponseFormat, ToolCall, ToolChoice } from '../../types.ts'
import type { Decoded, SimRequest } from '../types.ts'
import {
  accepted,
  callNames,
  imageOf,
  inputOf,
  NO_INPUT,
  refused,
  refusedBody,
  simplified,
} from './decoded.ts'

const partSchema = z.looseObject({
  type: z.string(),
  text: z.string().optional(),
  image_url: z.string().nullish(),
})
const contentSchema = z.union([z.string(), z.array(partSchema)])
const itemSchema = z.union([
  z.looseObject({
    type: z.literal('function_call'),
    call_id: z.string().min(1),
    name: z.string().min(1),
    arguments: z.string(),
  }),
  z.looseObject({
    type: z.literal('function_call_output'),
    call_id: z.string().min(1),
    output: contentSchema,
  }),
  z.looseObject({ type: z.literal('reasoning') }),
  z.looseObject({
    type: z.literal('message').optional(),
    role: z.enum(['system', 'developer', 'user', 'assistant']),
    content: contentSchema,
  }),
])
const toolSchema = z.looseObject({
  type: z.literal('function'),
  name: z.string().min(1),
  description: z.string().nullish(),
  parameters: z.record(z.string(), z.unknown()).nullish(),
})
const bodySchema = z.looseObject({
  model: z.string().min(1),
  input: z.union([z.string(), z.array(itemSchema).min(1)]),
  instructions: z.string().nullish(),
  stream: z.boolean().nullish(),
  tools: z.array(toolSchema).nullish(),
  tool_choice: z
    .union([
      z.enum(['auto', 'none', 'required']),
      z.looseObject({ type: z.literal('function'), name: z.string() }),
    ])
    .nullish(),
  text: z
    .looseObject({
      format: z
        .discriminatedUnion('type', [
          z.looseObject({ type: z.literal('text') }),
          z.looseObject({ type: z.literal('json_object') }),
          z.looseObject({
            type: z.literal('json_schema'),
            name: z.string(),
            schema: z.record(z.string(), z.unknown()),
          }),
        ])
        .nullish(),
    })
    .nullish(),
  max_output_tokens: z.int().positive().nullish(),
  parallel_tool_calls: z.boolean().nullish(),
  previous_response_id: z.string().nullish(),
  reasoning: z.looseObject({ effort: z.string().nullish() }).nullish(),
  include: z.array(z.string()).nullish(),
})

type Body = z.infer<typeof bodySchema>
type WireItem = z.infer<typeof itemSchema>
type WireContent = z.infer<typeof contentSchema>

/** Refuses what the real service refuses, and `previous_response_id`, since no response is kept. */
export function decodeResponsesRequest(body: unknown): Decoded {
  const parsed = bodySchema.safeParse(body)
  if (!parsed.success) return refusedBody(parsed.error)
  const { previous_response_id: previous } = parsed.data
  if (previous != null) {
    return refused(`Previous response with id '${previous}' not found.`, 'previous_response_id')
  }
  return accepted(toRequest(parsed.data), 'input')
}

function toRequest(body: Body): SimRequest {
  const { model, stream, tools, reasoning, include } = body
  return {
    model,
    stream: stream === true,
    includeUsage: true,
    ...(reasoning?.effort != null && { thinking: reasoning.effort !== 'none' }),
    signedReasoning: include?.includes('reasoning.encrypted_content') === true,
    messages: toMessages(body),
    tools: (tools ?? []).map(({ name, description, parameters }) => ({
      name,
      description: description ?? '',
      inputSchema: parameters ?? NO_INPUT,
    })),
    toolChoice: toToolChoice(body.tool_choice),
    responseFormat: toResponseFormat(body.text?.format),
    parameters: {
      ...(body.max_output_tokens != null && { maxTokens: body.max_output_tokens }),
      ...(body.parallel_tool_calls != null && { parallelToolCalls: body.parallel_tool_calls }),
    },
  }
}

function toMessages({ input, instructions }: Body): readonly Message[] {
  const messages: Message[] = instructions == null ? [] : [{ role: 'system', content: instructions }]
  if (typeof input === 'string') return [...messages, { role: 'user', content: input }]
  for (const item of input) addItem(messages, item)
  return messages
}

function addItem(messages: Message[], item: WireItem): void {
  if (item.type === 'function_call') addCall(messages, item)
  else if (item.type === 'function_call_output') {
    const { call_id: toolCallId, output } = item
    const name = callNames(messages).get(toolCallId) ?? 'unknown'
    messages.push({ role: 'tool', toolCallId, name, content: toContent(output) })
  } else if (item.type !== 'reasoning') {
    const { role, content } = item
    if (role === 'assistant') messages.push({ role, content: textOf(content) })
    else messages.push({ role: role === 'user' ? 'user' : 'system', content: toContent(content) })
  }
}

/** Calls stand beside the message that they belong to. */
function addCall(
  messages: Message[],
  { call_id: id, name, arguments: text }: { call_id: string; name: string; arguments: string },
): void {
  const call: ToolCall = { id, name, input: inputOf(text) }
  const last = messages.at(-1)
  if (last?.role !== 'assistant') {
    messages.push({ role: 'assistant', content: '', toolCalls: [call] })
    return
  }
  messages[messages.length - 1] = { ...last, toolCalls: [...(last.toolCalls ?? []), call] }
}

function toContent(content: WireContent): string | readonly ContentPart[] {
  if (typeof content === 'string') return content
  return simplified(
    content.map((part) =>
      part.image_url == null ? { type: 'text', text: part.text ?? '' } : imageOf(part.image_url),
    ),
  )
}

function textOf(content: WireContent): string {
  return typeof content === 'string' ? content : content.map((part) => part.text ?? '').join('')
}

function toToolChoice(choice: Body['tool_choice']): ToolChoice {
  return typeof choice === 'object' && choice !== null ? { name: choice.name } : (choice ?? 'auto')
}

function toResponseFormat(format: NonNullable<Body['text']>['format']): ResponseFormat {
  switch (format?.type) {
    case 'json_object':
      return { type: 'json' }
    case 'json_schema':
      return { type: 'json_schema', name: format.name, schema: format.schema }
    default:
      return { type: 'text' }
  }
}
