/** A model request as the body of `POST /api/chat` or `POST /api/generate`. */

import { TurnkeeperError } from '../../../errors.ts'
import { wireParameters } from '../../parameters/wire.ts'
import type { ContentPart, Message, ModelRequest, ResponseFormat, ToolChoice, ToolSpec } from '../../types.ts'
import { contentParts, imageSource, imagesAfterResults, textOf } from '../neutral/images.ts'
import type { RequestContext } from '../protocol.ts'

/** The request body of the context's endpoint. Throws `bad_request` or `capability_missing` for what Ollama cannot be told. */
export function buildOllamaRequest(request: ModelRequest, context: RequestContext): unknown {
  const { model, stream, endpoint = '' } = context
  const { responseFormat, parameters = {} } = request
  const said = /\/generate\/?$/.test(endpoint) ? toPrompt(request) : toChat(request)
  return {
    model,
    ...said,
    stream,
    ...wireParameters('ollama', undefined, parameters).wire,
    ...(responseFormat && toFormat(responseFormat)),
  }
}

function toFormat(format: ResponseFormat): Record<string, unknown> {
  if (format.type === 'text') return {}
  return { format: format.type === 'json' ? 'json' : format.schema }
}

function toChat({ messages, tools = [], toolChoice }: ModelRequest): Record<string, unknown> {
  const offered = offeredTools(tools, toolChoice)
  return {
    messages: imagesAfterResults(messages).map(toMessage),
    ...(offered.length > 0 && {
      tools: offered.map(({ name, description, inputSchema }) => ({
        type: 'function',
        function: { name, description, parameters: inputSchema },
      })),
    }),
  }
}

/** The protocol has no tool choice: fewer tools can be offered, but no call can be forced. */
function offeredTools(tools: readonly ToolSpec[], choice: ToolChoice | undefined): readonly ToolSpec[] {
  if (choice === undefined || choice === 'auto' || tools.length === 0) return tools
  if (choice === 'none') return []
  throw new TurnkeeperError(
    'capability_missing',
    'Ollama cannot be made to call a tool: toolChoice may be auto or none',
  )
}

function toMessage(message: Message): Record<string, unknown> {
  switch (message.role) {
    case 'system':
    case 'user':
      return { role: message.role, ...toContent(message.content) }
    case 'tool':
      return { role: 'tool', tool_name: message.name, ...toContent(message.content) }
    case 'assistant': {
      const { content, reasoning, toolCalls = [] } = message
      return {
        role: 'assistant',
        content,
        ...(reasoning && reasoning.text !== '' && { thinking: reasoning.text }),
        ...(toolCalls.length > 0 && {
          tool_calls: toolCalls.map(({ name, input }) => ({
            function: { name, arguments: toArguments(input) },
          })),
        }),
      }
    }
  }
}

/** The protocol wants an object; a free-form call of another vendor goes into one. */
function toArguments(input: unknown): unknown {
  return typeof input === 'object' && input !== null ? input : { input }
}

function toContent(content: string | readonly ContentPart[]): Record<string, unknown> {
  const images = imagesOf(content)
  return { content: textOf(content), ...(images.length > 0 && { images }) }
}

/** Ollama takes bytes alone; it fetches nothing. */
function imagesOf(content: string | readonly ContentPart[]): readonly string[] {
  return contentParts(content).flatMap((part) => {
    if (part.type === 'text') return []
    const source = imageSource(part)
    if (source.type === 'bytes') return [source.data]
    throw new TurnkeeperError(
      'capability_missing',
      'Ollama fetches no images: expected base64 data or a data: URL, got another URL',
    )
  })
}

/** One prompt of a whole conversation: as it is where only the user spoke, else with the speakers' names. */
function toPrompt({ messages, tools = [] }: ModelRequest): Record<string, unknown> {
  if (tools.length > 0) {
    throw new TurnkeeperError('capability_missing', '/api/generate knows no tools: use /api/chat')
  }
  const system = messages.filter(({ role }) => role === 'system').map(({ content }) => textOf(content))
  const spoken = messages.filter(({ role }) => role !== 'system')
  const isMonologue = spoken.every(({ role }) => role === 'user')
  const prompt = spoken
    .map(({ role, content }) => (isMonologue ? textOf(content) : `${role}: ${textOf(content)}`))
    .join('\n\n')
  const images = spoken.flatMap(({ content }) => imagesOf(content))
  return {
    prompt: isMonologue ? prompt : `${prompt}\n\nassistant:`,
    ...(system.length > 0 && { system: system.join('\n\n') }),
    ...(images.length > 0 && { images }),
  }
}
