/**
 * The body of a chat completions request back to the neutral form: what `buildChatRequest` does, the other way
 * round. Reads what it knows by hand and leaves the rest out; whoever serves this protocol checks the body first.
 */

import { asArray, asObject, asText, type JsonObject, parseJson } from '../../narrow.ts'
import type {
  ContentPart,
  Message,
  ModelRequest,
  Reasoning,
  ResponseFormat,
  ToolCall,
  ToolChoice,
  ToolSpec,
} from '../../types.ts'
import { imageFromUrl, textOf } from '../neutral/images.ts'
import { neutralParameters } from '../neutral/parameters.ts'
import { detailsToSignature } from './reasoning-details.ts'

const PARAMETERS = {
  max_tokens: 'maxTokens',
  max_completion_tokens: 'maxTokens',
  temperature: 'temperature',
  top_p: 'topP',
  stop: 'stop',
  seed: 'seed',
  presence_penalty: 'presencePenalty',
  frequency_penalty: 'frequencyPenalty',
  parallel_tool_calls: 'parallelToolCalls',
} as const

/** The neutral request; `model` is as the client named it. */
export function chatToNeutral(body: JsonObject): ModelRequest {
  const tools = asArray(body.tools).flatMap(toToolSpec)
  const toolChoice = toToolChoice(body.tool_choice)
  const responseFormat = toResponseFormat(asObject(body.response_format))
  const model = asText(body.model)
  return {
    ...(model !== undefined && { model }),
    messages: toMessages(asArray(body.messages)),
    ...(tools.length > 0 && { tools }),
    ...(toolChoice !== undefined && { toolChoice }),
    ...(responseFormat !== undefined && { responseFormat }),
    parameters: neutralParameters(body, PARAMETERS),
  }
}

/** Results of tools do not name their tool on this wire: the call does. */
function toMessages(wire: readonly unknown[]): readonly Message[] {
  const names = new Map<string, string>()
  return wire.flatMap((value): Message[] => {
    const message = asObject(value)
    const content = toContent(message?.content)
    switch (message?.role) {
      case 'system':
      case 'developer':
        return [{ role: 'system', content }]
      case 'user':
        return [{ role: 'user', content }]
      case 'assistant': {
        const assistant = toAssistant(message)
        for (const { id, name } of assistant.toolCalls ?? []) names.set(id, name)
        return [assistant]
      }
      case 'tool': {
        const toolCallId = asText(message.tool_call_id) ?? ''
        return [{ role: 'tool', toolCallId, name: names.get(toolCallId) ?? '', content }]
      }
      default:
        return []
    }
  })
}

function toAssistant(message: JsonObject): Extract<Message, { role: 'assistant' }> {
  const toolCalls = asArray(message.tool_calls).flatMap(toToolCall)
  const reasoning = toReasoning(message)
  return {
    role: 'assistant',
    content: textOf(toContent(message.content)),
    ...(reasoning !== undefined && { reasoning }),
    ...(toolCalls.length > 0 && { toolCalls }),
  }
}

function toReasoning(message: JsonObject): Reasoning | undefined {
  const text = asText(message.reasoning_content) ?? asText(message.reasoning) ?? ''
  const details = asArray(message.reasoning_details)
    .map(asObject)
    .filter((detail) => detail !== undefined)
  const signature = detailsToSignature(details)
  if (text === '' && signature === undefined) return undefined
  return { text, ...(signature !== undefined && { signature }) }
}

function toToolCall(value: unknown): readonly ToolCall[] {
  const call = asObject(value)
  const [called, custom] = [asObject(call?.function), asObject(call?.custom)]
  const id = asText(call?.id) ?? ''
  if (called === undefined && custom === undefined) return []
  if (called === undefined) return [{ id, name: asText(custom?.name) ?? '', input: custom?.input ?? '' }]
  const text = asText(called.arguments) ?? '{}'
  const parsed = parseJson(text)
  // Arguments that some model got wrong stay as they are, for the next one to see.
  return [{ id, name: asText(called.name) ?? '', input: parsed === undefined ? text : parsed.value }]
}

function toContent(content: unknown): string | readonly ContentPart[] {
  if (!Array.isArray(content)) return asText(content) ?? ''
  return content.flatMap((value): ContentPart[] => {
    const part = asObject(value)
    const image = part?.image_url
    const url = asText(asObject(image)?.url) ?? asText(image)
    if (url !== undefined) return [imageFromUrl(url)]
    const text = asText(part?.text) ?? asText(value)
    return text === undefined ? [] : [{ type: 'text', text }]
  })
}

function toToolSpec(value: unknown): readonly ToolSpec[] {
  const tool = asObject(asObject(value)?.function)
  const name = asText(tool?.name)
  if (name === undefined) return []
  const inputSchema = asObject(tool?.parameters) ?? { type: 'object', properties: {} }
  return [{ name, description: asText(tool?.description) ?? '', inputSchema }]
}

function toToolChoice(choice: unknown): ToolChoice | undefined {
  if (choice === 'auto' || choice === 'none' || choice === 'required') return choice
  const name = asText(asObject(asObject(choice)?.function)?.name)
  return name === undefined ? undefined : { name }
}

function toResponseFormat(format: JsonObject | undefined): ResponseFormat | undefined {
  const wanted = asObject(format?.json_schema)
  const schema = asObject(wanted?.schema)
  if (schema !== undefined) return { type: 'json_schema', name: asText(wanted?.name) ?? 'answer', schema }
  if (format?.type === 'json_object') return { type: 'json' }
  return format?.type === 'text' ? { type: 'text' } : undefined
}
