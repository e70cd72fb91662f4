/**
 * The body of a messages request back to the neutral form: what `buildMessagesRequest` does, the other way round.
 * Reads what it knows by hand and leaves the rest out; whoever serves this protocol checks the body first.
 */

import { asArray, asObject, asText, type JsonObject } from '../../narrow.ts'
import type {
  ContentPart,
  Message,
  ModelParameters,
  ModelRequest,
  ResponseFormat,
  ToolChoice,
  ToolSpec,
} from '../../types.ts'
import { textOf } from '../neutral/images.ts'
import { neutralParameters } from '../neutral/parameters.ts'
import { blocksToReasoning, toThinkingBlock } from './thinking.ts'

const PARAMETERS = {
  max_tokens: 'maxTokens',
  temperature: 'temperature',
  top_p: 'topP',
  stop_sequences: 'stop',
} as const

/** The neutral request; `model` is as the client named it. */
export function messagesToNeutral(body: JsonObject): ModelRequest {
  const tools = asArray(body.tools).flatMap(toToolSpec)
  const choice = asObject(body.tool_choice)
  const toolChoice = toToolChoice(choice)
  const responseFormat = toResponseFormat(asObject(asObject(body.output_config)?.format))
  const model = asText(body.model)
  const oneAtATime: ModelParameters =
    choice?.disable_parallel_tool_use === true ? { parallelToolCalls: false } : {}
  return {
    ...(model !== undefined && { model }),
    messages: toMessages(body),
    ...(tools.length > 0 && { tools }),
    ...(toolChoice !== undefined && { toolChoice }),
    ...(responseFormat !== undefined && { responseFormat }),
    parameters: { ...neutralParameters(body, PARAMETERS), ...oneAtATime },
  }
}

function toMessages({ system, messages }: JsonObject): readonly Message[] {
  const said = textOf(toContent(system))
  const names = new Map<string, string>()
  return [
    ...(said === '' ? [] : [{ role: 'system' as const, content: said }]),
    ...asArray(messages).flatMap((value): readonly Message[] => {
      const message = asObject(value)
      if (message?.role === 'assistant') return [toAssistant(message, names)]
      if (message?.role === 'system') return [{ role: 'system', content: toContent(message.content) }]
      return message === undefined ? [] : toUserMessages(message.content, names)
    }),
  ]
}

/** Notes the names of the calls, which the blocks with their results do not repeat. */
function toAssistant(message: JsonObject, names: Map<string, string>): Message {
  const blocks = typeof message.content === 'string' ? [] : asArray(message.content).map(asObject)
  const toolCalls = blocks.flatMap((block) => {
    if (block?.type !== 'tool_use') return []
    return [{ id: asText(block.id) ?? '', name: asText(block.name) ?? '', input: block.input ?? {} }]
  })
  for (const { id, name } of toolCalls) names.set(id, name)
  const reasoning = blocksToReasoning(blocks.flatMap((block) => toThinkingBlock(block) ?? []))
  return {
    role: 'assistant',
    content: textOf(toContent(message.content)),
    ...(reasoning !== undefined && { reasoning }),
    ...(toolCalls.length > 0 && { toolCalls }),
  }
}

/** Results of tools come first in the turn of the user; what else the user says follows them. */
function toUserMessages(content: unknown, names: ReadonlyMap<string, string>): readonly Message[] {
  if (typeof content === 'string') return [{ role: 'user', content }]
  const blocks = asArray(content)
  const results = blocks.flatMap((value): readonly Message[] => {
    const block = asObject(value)
    if (block?.type !== 'tool_result') return []
    const toolCallId = asText(block.tool_use_id) ?? ''
    const name = names.get(toolCallId) ?? ''
    const result = toContent(block.content)
    return [
      { role: 'tool', toolCallId, name, content: result, ...(block.is_error === true && { isError: true }) },
    ]
  })
  const rest = toContent(blocks)
  return rest.length === 0 ? results : [...results, { role: 'user', content: rest }]
}

function toContent(content: unknown): string | readonly ContentPart[] {
  if (typeof content === 'string') return content
  return asArray(content).flatMap((value): ContentPart[] => {
    const block = asObject(value)
    if (block?.type === 'text') return [{ type: 'text', text: asText(block.text) ?? '' }]
    return block?.type === 'image' ? toImage(asObject(block.source)) : []
  })
}

function toImage(source: JsonObject | undefined): ContentPart[] {
  const [url, data] = [asText(source?.url), asText(source?.data)]
  if (url !== undefined) return [{ type: 'image', url }]
  if (data === undefined) return []
  return [{ type: 'image', data, mediaType: asText(source?.media_type) ?? 'image/png' }]
}

/** Tools that the vendor runs itself have no schema, and mean nothing elsewhere. */
function toToolSpec(value: unknown): readonly ToolSpec[] {
  const tool = asObject(value)
  const name = asText(tool?.name)
  const inputSchema = asObject(tool?.input_schema)
  if (name === undefined || inputSchema === undefined) return []
  return [{ name, description: asText(tool?.description) ?? '', inputSchema }]
}

function toToolChoice(choice: JsonObject | undefined): ToolChoice | undefined {
  switch (choice?.type) {
    case 'auto':
    case 'none':
      return choice.type
    case 'any':
      return 'required'
    case 'tool':
      return { name: asText(choice.name) ?? '' }
    default:
      return undefined
  }
}

function toResponseFormat(format: JsonObject | undefined): ResponseFormat | undefined {
  const schema = asObject(format?.schema)
  return schema === undefined ? undefined : { type: 'json_schema', name: 'answer', schema }
}
