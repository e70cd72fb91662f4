/** A model request as the body of `POST /v1/messages`. */

import { wireParameters, withParameters } from '../../parameters/wire.ts'
import type { ContentPart, Message, ModelRequest, ResponseFormat, ToolChoice, ToolSpec } from '../../types.ts'
import { contentParts, imageSource, textOf } from '../neutral/images.ts'
import { jsonInWords, type SchemaSupport } from '../neutral/json-words.ts'
import { type ToolIdRule, withAcceptedIds } from '../neutral/tool-ids.ts'
import type { RequestContext } from '../protocol.ts'
import { reasoningToBlocks } from './thinking.ts'

const TOOL_IDS: ToolIdRule = { accepted: /^[a-zA-Z0-9_-]{1,64}$/, digits: 32 }

/** The request body; fields that were not asked for are left out, `max_tokens` is always there. */
export function buildMessagesRequest(request: ModelRequest, context: RequestContext): unknown {
  const { model, stream, dialect } = context
  const { messages, tools = [], toolChoice, responseFormat, parameters = {} } = request
  const system = toSystem(messages, responseFormat, dialect)
  const hasTools = tools.length > 0 && toolChoice !== 'none'
  const { wire } = wireParameters('anthropic', undefined, parameters, { hasTools })
  const body = {
    model,
    ...(system !== '' && { system }),
    messages: toTurns(withAcceptedIds(messages, TOOL_IDS)),
    stream,
    ...(tools.length > 0 && toToolFields(tools, toolChoice)),
    ...(responseFormat?.type === 'json_schema' &&
      dialect.jsonSchema && {
        output_config: { format: { type: 'json_schema', schema: responseFormat.schema } },
      }),
  }
  return withParameters(body, wire)
}

/** The protocol has one system prompt; there is no JSON mode without a schema, so that is said in words. */
function toSystem(
  messages: readonly Message[],
  format: ResponseFormat | undefined,
  support: SchemaSupport,
): string {
  const said = messages
    .filter(({ role }) => role === 'system')
    .map(({ content }) => textOf(content))
    .filter((text) => text !== '')
  const words = format?.type === 'json' || !support.jsonSchema ? jsonInWords(format) : undefined
  return [...said, ...(words === undefined ? [] : [words])].join('\n\n')
}

function toToolFields(tools: readonly ToolSpec[], choice: ToolChoice | undefined): Record<string, unknown> {
  return {
    tools: tools.map(({ name, description, inputSchema }) => ({
      name,
      description,
      input_schema: inputSchema,
    })),
    ...(choice !== undefined && { tool_choice: toToolChoice(choice) }),
  }
}

function toToolChoice(choice: ToolChoice): Record<string, unknown> {
  if (typeof choice !== 'string') return { type: 'tool', name: choice.name }
  return { type: choice === 'required' ? 'any' : choice }
}

type Turn = { readonly role: 'user' | 'assistant'; readonly content: readonly unknown[] }

/** Neighbours of one role become one turn: all results of a step must stand in one user turn. */
function toTurns(messages: readonly Message[]): readonly Turn[] {
  const turns: Turn[] = []
  for (const message of messages) {
    const turn = toTurn(message)
    const last = turns.at(-1)
    if (turn === undefined || turn.content.length === 0) continue
    if (last?.role === turn.role) {
      turns[turns.length - 1] = { role: turn.role, content: [...last.content, ...turn.content] }
    } else turns.push(turn)
  }
  return turns
}

function toTurn(message: Message): Turn | undefined {
  switch (message.role) {
    case 'system':
      return undefined
    case 'user':
      return { role: 'user', content: contentParts(message.content).map(toBlock) }
    case 'assistant':
      return { role: 'assistant', content: toAssistantBlocks(message) }
    case 'tool': {
      const { toolCallId, content, isError } = message
      const result = typeof content === 'string' ? content : contentParts(content).map(toBlock)
      return {
        role: 'user',
        content: [
          {
            type: 'tool_result',
            tool_use_id: toolCallId,
            content: result,
            ...(isError && { is_error: true }),
          },
        ],
      }
    }
  }
}

function toAssistantBlocks(message: Extract<Message, { role: 'assistant' }>): readonly unknown[] {
  const { content, reasoning, toolCalls = [] } = message
  return [
    ...(reasoning ? reasoningToBlocks(reasoning) : []),
    ...contentParts(content).map(toBlock),
    ...toolCalls.map(({ id, name, input }) => ({ type: 'tool_use', id, name, input: toInput(input) })),
  ]
}

/** The protocol wants an object; a free-form call of another vendor goes into one. */
function toInput(input: unknown): unknown {
  return typeof input === 'object' && input !== null ? input : { input }
}

function toBlock(part: ContentPart): unknown {
  if (part.type === 'text') return { type: 'text', text: part.text }
  const source = imageSource(part)
  return {
    type: 'image',
    source:
      source.type === 'url'
        ? { type: 'url', url: source.url }
        : { type: 'base64', media_type: source.mediaType, data: source.data },
  }
}
