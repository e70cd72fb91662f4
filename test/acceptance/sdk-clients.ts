import type { ProtocolName } from '../../src/providers/protocols/protocol.ts'
/** The vendors' SDKs under one roof: a neutral request in, what the SDK made of the answer out. */

import Anthropic from '@anthropic-ai/sdk'
import OpenAI from 'openai'
import type { FinishReason, Message, ModelRequest, ToolSpec } from '../../src/providers/types.ts'

/** What an SDK says of an answer, in its own words where it has some. */
export type Facts = {
  readonly text: string
  readonly reasoning: string
  readonly calls: readonly { readonly name: string; readonly input: unknown }[]
  readonly ids: readonly string[]
  readonly finish: string | null | undefined
  readonly inputTokens: number | undefined
  readonly outputTokens: number | undefined
}

/** How we reach the same endpoint. */
export type Ours = { readonly protocol: ProtocolName; readonly path: string }

export type Client = {
  readonly ours: Ours
  /** The vendor's words for how an answer ended. */
  readonly finishes: Partial<Record<FinishReason, string>>
  ask(request: ModelRequest, how: { readonly model: string; readonly stream: boolean }): Promise<Facts>
}

const MAX_TOKENS = 4096

/** `chat.completions` of the `openai` package. */
export function chatClient(url: string): Client {
  const openai = new OpenAI({ apiKey: 'sk-test', baseURL: `${url}/v1`, maxRetries: 0 })
  return {
    ours: { protocol: 'openai-chat', path: '/v1' },
    finishes: { stop: 'stop', length: 'length', tool_calls: 'tool_calls' },
    async ask(request, { model, stream }) {
      const body = {
        model,
        messages: request.messages.map(toChatMessage),
        max_completion_tokens: request.parameters?.maxTokens ?? MAX_TOKENS,
        ...(request.tools && { tools: request.tools.map(toChatTool) }),
      }
      if (!stream) return chatFacts(await openai.chat.completions.create(body))
      const run = openai.chat.completions.stream({
        ...body,
        stream: true,
        stream_options: { include_usage: true },
      })
      // The SDK knows no reasoning: of a field that it does not know it keeps the last piece alone.
      const pieces: string[] = []
      run.on('chunk', ({ choices }) => pieces.push(reasoningOf(choices[0]?.delta)))
      return { ...chatFacts(await run.finalChatCompletion()), reasoning: pieces.join('') }
    },
  }
}

function chatFacts({ choices: [choice], usage }: OpenAI.ChatCompletion): Facts {
  const message = choice?.message
  const calls = (message?.tool_calls ?? []).filter((call) => call.type === 'function')
  return {
    text: message?.content ?? '',
    reasoning: reasoningOf(message),
    calls: calls.map((call) => ({ name: call.function.name, input: JSON.parse(call.function.arguments) })),
    ids: calls.map(({ id }) => id),
    finish: choice?.finish_reason,
    inputTokens: usage?.prompt_tokens,
    outputTokens: usage?.completion_tokens,
  }
}

/** DeepSeek's field, which the types of OpenAI do not have. */
function reasoningOf(message: object | undefined): string {
  return message !== undefined && 'reasoning_content' in message ? String(message.reasoning_content) : ''
}

function toChatMessage(message: Message): OpenAI.ChatCompletionMessageParam {
  const content = String(message.content)
  switch (message.role) {
    case 'tool':
      return { role: 'tool', tool_call_id: message.toolCallId, content }
    case 'assistant':
      return {
        role: 'assistant',
        content,
        tool_calls: (message.toolCalls ?? []).map(({ id, name, input }) => ({
          id,
          type: 'function',
          function: { name, arguments: JSON.stringify(input) },
        })),
      }
    default:
      return { role: message.role, content }
  }
}

function toChatTool({ name, description, inputSchema }: ToolSpec): OpenAI.ChatCompletionTool {
  return { type: 'function', function: { name, description, parameters: { ...inputSchema } } }
}

/** `responses` of the `openai` package. */
export function responsesClient(url: string): Client {
  const openai = new OpenAI({ apiKey: 'sk-test', baseURL: `${url}/v1`, maxRetries: 0 })
  return {
    ours: { protocol: 'openai-responses', path: '/v1' },
    finishes: { stop: 'completed', length: 'max_output_tokens', tool_calls: 'completed' },
    async ask(request, { model, stream }) {
      const body = {
        model,
        input: request.messages.flatMap(toResponseItems),
        max_output_tokens: request.parameters?.maxTokens ?? MAX_TOKENS,
        ...(request.tools && { tools: request.tools.map(toResponseTool) }),
      }
      if (!stream) return responseFacts(await openai.responses.create(body))
      return responseFacts(await openai.responses.stream(body).finalResponse())
    },
  }
}

function responseFacts({ output, status, incomplete_details: cut, usage }: OpenAI.Responses.Response): Facts {
  const calls = output.filter((item) => item.type === 'function_call')
  return {
    text: output
      .flatMap((item) => (item.type === 'message' ? item.content : []))
      .map((part) => (part.type === 'output_text' ? part.text : ''))
      .join(''),
    reasoning: output
      .flatMap((item) => (item.type === 'reasoning' ? item.summary : []))
      .map((part) => part.text)
      .join(''),
    calls: calls.map((call) => ({ name: call.name, input: JSON.parse(call.arguments) })),
    ids: calls.map((call) => call.call_id),
    finish: cut?.reason ?? status,
    inputTokens: usage?.input_tokens,
    outputTokens: usage?.output_tokens,
  }
}

function toResponseItems(message: Message): OpenAI.Responses.ResponseInputItem[] {
  const content = String(message.content)
  if (message.role === 'tool') {
    return [{ type: 'function_call_output', call_id: message.toolCallId, output: content }]
  }
  if (message.role !== 'assistant') return [{ role: message.role, content }]
  const calls = (message.toolCalls ?? []).map(({ id, name, input }) => ({
    type: 'function_call' as const,
    ...{ call_id: id, name, arguments: JSON.stringify(input) },
  }))
  return content === '' ? calls : [{ role: 'assistant', content }, ...calls]
}

function toResponseTool({ name, description, inputSchema }: ToolSpec): OpenAI.Responses.FunctionTool {
  return { type: 'function', name, description, parameters: { ...inputSchema }, strict: false }
}

/** `messages` of the `@anthropic-ai/sdk` package. */
export function messagesClient(url: string): Client {
  const anthropic = new Anthropic({ apiKey: 'sk-test', baseURL: url, maxRetries: 0 })
  return {
    ours: { protocol: 'anthropic', path: '' },
    finishes: { stop: 'end_turn', length: 'max_tokens', tool_calls: 'tool_use' },
    async ask(request, { model, stream }) {
      const system = request.messages.find(({ role }) => role === 'system')?.content
      const body = {
        model,
        messages: request.messages.filter(({ role }) => role !== 'system').map(toAnthropicMessage),
        max_tokens: request.parameters?.maxTokens ?? MAX_TOKENS,
        ...(system !== undefined && { system: String(system) }),
        ...(request.tools && { tools: request.tools.map(toAnthropicTool) }),
      }
      if (!stream) return messageFacts(await anthropic.messages.create(body))
      return messageFacts(await anthropic.messages.stream(body).finalMessage())
    },
  }
}

function messageFacts({ content, stop_reason: finish, usage }: Anthropic.Message): Facts {
  const calls = content.filter((block) => block.type === 'tool_use')
  return {
    text: content.map((block) => (block.type === 'text' ? block.text : '')).join(''),
    reasoning: content.map((block) => (block.type === 'thinking' ? block.thinking : '')).join(''),
    calls: calls.map(({ name, input }) => ({ name, input })),
    ids: calls.map(({ id }) => id),
    finish,
    inputTokens: usage.input_tokens,
    outputTokens: usage.output_tokens,
  }
}

function toAnthropicMessage(message: Message): Anthropic.MessageParam {
  const content = String(message.content)
  switch (message.role) {
    case 'tool':
      return {
        role: 'user',
        content: [{ type: 'tool_result', tool_use_id: message.toolCallId, content }],
      }
    case 'assistant': {
      const calls = (message.toolCalls ?? []).map(({ id, name, input }) => ({
        type: 'tool_use' as const,
        ...{ id, name, input },
      }))
      return {
        role: 'assistant',
        content: content === '' ? calls : [{ type: 'text', text: content }, ...calls],
      }
    }
    default:
      return { role: 'user', content }
  }
}

function toAnthropicTool({ name, description, inputSchema }: ToolSpec): Anthropic.Tool {
  return { name, description, input_schema: { ...inputSchema, type: 'object' } }
}
