/** A model request as the body of `POST …/chat/completions`. */

import { wireParameters } from '../../parameters/wire.ts'
import type {
  ContentPart,
  Message,
  ModelRequest,
  ResponseFormat,
  ToolCall,
  ToolChoice,
  ToolSpec,
} from '../../types.ts'
import type { Dialect } from '../dialects.ts'
import { imagesAfterResults, imageUrl } from '../neutral/images.ts'
import { jsonInWords } from '../neutral/json-words.ts'
import { withAcceptedIds } from '../neutral/tool-ids.ts'
import type { RequestContext } from '../protocol.ts'
import { signatureToDetails } from './reasoning-details.ts'

/** The request body; fields that were not asked for are left out, `max_tokens` is always there. */
export function buildChatRequest(request: ModelRequest, context: RequestContext): unknown {
  const { model, stream, dialect } = context
  const { messages, tools, toolChoice, responseFormat, parameters = {} } = request
  return {
    model,
    messages: [
      ...imagesAfterResults(withAcceptedIds(messages, dialect.toolIds)).map((message) =>
        toChatMessage(message, dialect),
      ),
      ...schemaInWords(responseFormat, dialect),
    ],
    stream,
    ...(stream && dialect.streamOptions && { stream_options: { include_usage: true } }),
    ...wireParameters('openai-chat', dialect.name, parameters, { hasTools: hasTools(request) }).wire,
    ...(tools !== undefined && hasTools(request) && toToolFields(tools, toolChoice)),
    ...(responseFormat && toResponseFormat(responseFormat, dialect)),
  }
}

function hasTools({ tools = [] }: ModelRequest): boolean {
  return tools.length > 0
}

/** Only together with tools: several upstreams refuse `tool_choice` without them. */
function toToolFields(tools: readonly ToolSpec[], choice: ToolChoice | undefined): Record<string, unknown> {
  return {
    tools: tools.map(({ name, description, inputSchema }) => ({
      type: 'function',
      function: { name, description, parameters: inputSchema },
    })),
    ...(choice !== undefined && { tool_choice: toToolChoice(choice) }),
  }
}

function toToolChoice(choice: ToolChoice): unknown {
  return typeof choice === 'string' ? choice : { type: 'function', function: { name: choice.name } }
}

/** Where the vendor knows no `json_schema`, the model is told it, and `json_object` keeps the answer to JSON. */
function schemaInWords(format: ResponseFormat | undefined, dialect: Dialect): readonly object[] {
  if (format?.type !== 'json_schema' || dialect.jsonSchema) return []
  return [{ role: 'system', content: jsonInWords(format) }]
}

function toResponseFormat(format: ResponseFormat, dialect: Dialect): Record<string, unknown> {
  if (format.type === 'text') return {}
  if (format.type === 'json' || !dialect.jsonSchema) return { response_format: { type: 'json_object' } }
  const { name, schema } = format
  return { response_format: { type: 'json_schema', json_schema: { name, schema, strict: true } } }
}

function toChatMessage(message: Message, dialect: Dialect): Record<string, unknown> {
  switch (message.role) {
    case 'system':
    case 'user':
      return { role: message.role, content: toContent(message.content) }
    case 'assistant':
      return toAssistantMessage(message, dialect)
    case 'tool':
      return { role: 'tool', tool_call_id: message.toolCallId, content: toContent(message.content) }
  }
}

function toAssistantMessage(
  message: Extract<Message, { role: 'assistant' }>,
  dialect: Dialect,
): Record<string, unknown> {
  const { content, reasoning, toolCalls = [] } = message
  const hasCalls = toolCalls.length > 0
  return {
    role: 'assistant',
    content: content === '' && hasCalls ? null : content,
    ...(reasoning && toReasoning(reasoning.text, reasoning.signature, dialect)),
    ...(hasCalls && { tool_calls: toolCalls.map(toToolCall) }),
  }
}

function toReasoning(text: string, signature: string | undefined, dialect: Dialect): Record<string, unknown> {
  if (dialect.reasoning === null) return {}
  if (dialect.reasoning === 'reasoning_content') return text === '' ? {} : { reasoning_content: text }
  const details = signature === undefined ? undefined : signatureToDetails(signature)
  return details ? { reasoning_details: details } : {}
}

function toToolCall({ id, name, input }: ToolCall): unknown {
  return typeof input === 'string'
    ? { id, type: 'custom', custom: { name, input } }
    : { id, type: 'function', function: { name, arguments: JSON.stringify(input ?? {}) } }
}

function toContent(content: string | readonly ContentPart[]): unknown {
  return typeof content === 'string' ? content : content.map(toContentPart)
}

function toContentPart(part: ContentPart): unknown {
  if (part.type === 'text') return { type: 'text', text: part.text }
  return { type: 'image_url', image_url: { url: imageUrl(part) } }
}
