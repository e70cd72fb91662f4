/** A model request as the body of `POST …/responses`. */

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
import { imageUrl } from '../neutral/images.ts'
import { jsonInWords } from '../neutral/json-words.ts'
import { withAcceptedIds } from '../neutral/tool-ids.ts'
import type { RequestContext } from '../protocol.ts'
import { signatureToItems } from './reasoning-items.ts'

/** Models that reason: others refuse to be asked for encrypted reasoning. */
const REASONING_MODEL = /(^|[/.])(o[1-9]|gpt-[5-9]|gpt-oss|codex|computer-use|grok-(3-mini|[4-9]))(?!.*chat)/

/** The request body; fields that were not asked for are left out, `max_output_tokens` is always there. */
export function buildResponsesRequest(request: ModelRequest, context: RequestContext): unknown {
  const { model, stream, dialect } = context
  const { messages, tools = [], toolChoice, responseFormat, parameters = {} } = request
  const words = dialect.jsonSchema ? undefined : jsonInWords(responseFormat)
  return {
    model,
    input: [
      ...toInput(withAcceptedIds(messages, dialect.toolIds)),
      ...(words === undefined ? [] : [{ role: 'system', content: words }]),
    ],
    stream,
    // Nothing is kept upstream, so what reasoning the next step needs has to come to us.
    store: false,
    ...(REASONING_MODEL.test(model) && { include: ['reasoning.encrypted_content'] }),
    ...wireParameters('openai-responses', undefined, parameters, { hasTools: tools.length > 0 }).wire,
    ...(tools.length > 0 && toToolFields(tools, toolChoice)),
    ...(responseFormat && toTextFormat(responseFormat, dialect.jsonSchema)),
  }
}

function toToolFields(tools: readonly ToolSpec[], choice: ToolChoice | undefined): Record<string, unknown> {
  return {
    tools: tools.map(({ name, description, inputSchema }) => ({
      type: 'function',
      name,
      description,
      parameters: inputSchema,
      // The default, true, refuses every schema that does not list all its properties as required.
      strict: false,
    })),
    ...(choice !== undefined && {
      tool_choice: typeof choice === 'string' ? choice : { type: 'function', name: choice.name },
    }),
  }
}

function toTextFormat(format: ResponseFormat, knowsSchemas: boolean): Record<string, unknown> {
  if (format.type === 'text') return {}
  if (format.type === 'json' || !knowsSchemas) return { text: { format: { type: 'json_object' } } }
  const { name, schema } = format
  return { text: { format: { type: 'json_schema', name, schema, strict: true } } }
}

function toInput(messages: readonly Message[]): readonly unknown[] {
  const freeForm = new Set(messages.flatMap(freeFormCalls))
  return messages.flatMap((message) => toItems(message, freeForm))
}

/** Results of free-form calls are items of another type. */
function freeFormCalls(message: Message): readonly string[] {
  if (message.role !== 'assistant') return []
  return (message.toolCalls ?? []).filter(({ input }) => typeof input === 'string').map(({ id }) => id)
}

function toItems(message: Message, freeForm: ReadonlySet<string>): readonly unknown[] {
  switch (message.role) {
    case 'system':
    case 'user':
      return [{ role: message.role, content: toContent(message.content) }]
    case 'assistant': {
      const { content, reasoning, toolCalls = [] } = message
      return [
        ...signatureToItems(reasoning?.signature),
        ...(content === '' ? [] : [{ role: 'assistant', content }]),
        ...toolCalls.map(toCallItem),
      ]
    }
    case 'tool': {
      const type = freeForm.has(message.toolCallId) ? 'custom_tool_call_output' : 'function_call_output'
      return [{ type, call_id: message.toolCallId, output: toContent(message.content) }]
    }
  }
}

function toCallItem({ id, name, input }: ToolCall): unknown {
  return typeof input === 'string'
    ? { type: 'custom_tool_call', call_id: id, name, input }
    : { type: 'function_call', call_id: id, name, arguments: JSON.stringify(input ?? {}) }
}

function toContent(content: string | readonly ContentPart[]): unknown {
  return typeof content === 'string' ? content : content.map(toContentPart)
}

function toContentPart(part: ContentPart): unknown {
  return part.type === 'text'
    ? { type: 'input_text', text: part.text }
    : { type: 'input_image', image_url: imageUrl(part) }
}
