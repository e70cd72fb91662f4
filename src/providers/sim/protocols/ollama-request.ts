/** Reads the bodies of Ollama's own requests into the neutral form. They are streamed unless told otherwise. */

import { z } from 'zod'
import type { ContentPart, Message, ResponseFormat } from '../../types.ts'
import type { Decoded, SimRequest } from '../types.ts'
import { accepted, imageOf, NO_INPUT, refusedBody } from './decoded.ts'

const callSchema = z.looseObject({
  id: z.string().optional(),
  function: z.looseObject({ name: z.string().min(1), arguments: z.record(z.string(), z.unknown()) }),
})
const messageSchema = z.looseObject({
  role: z.enum(['system', 'user', 'assistant', 'tool']),
  content: z.string().optional(),
  thinking: z.string().optional(),
  images: z.array(z.string()).nullish(),
  tool_calls: z.array(callSchema).nullish(),
  tool_name: z.string().optional(),
  tool_call_id: z.string().optional(),
})
const toolSchema = z.looseObject({
  type: z.literal('function'),
  function: z.looseObject({
    name: z.string().min(1),
    description: z.string().optional(),
    parameters: z.record(z.string(), z.unknown()).optional(),
  }),
})
const common = {
  model: z.string().min(1),
  stream: z.boolean().nullish(),
  think: z.union([z.boolean(), z.string()]).nullish(),
  format: z.union([z.literal(''), z.literal('json'), z.record(z.string(), z.unknown())]).nullish(),
  options: z.looseObject({ num_predict: z.int().nullish() }).nullish(),
}
const commonSchema = z.looseObject(common)
const chatSchema = z.looseObject({
  ...common,
  messages: z.array(messageSchema).min(1),
  tools: z.array(toolSchema).nullish(),
})
const generateSchema = z.looseObject({
  ...common,
  prompt: z.string(),
  system: z.string().optional(),
  images: z.array(z.string()).nullish(),
})

type Common = z.infer<typeof commonSchema>
type WireMessage = z.infer<typeof messageSchema>

/** `POST /api/chat`. */
export function decodeOllamaChat(body: unknown): Decoded {
  const parsed = chatSchema.safeParse(body)
  if (!parsed.success) return refusedBody(parsed.error)
  const { messages, tools } = parsed.data
  return accepted(
    {
      ...toRequest(parsed.data, toMessages(messages)),
      tools: (tools ?? []).map(({ function: tool }) => ({
        name: tool.name,
        description: tool.description ?? '',
        inputSchema: tool.parameters ?? NO_INPUT,
      })),
    },
    'messages',
  )
}

/** `POST /api/generate`. */
export function decodeOllamaGenerate(body: unknown): Decoded {
  const parsed = generateSchema.safeParse(body)
  if (!parsed.success) return refusedBody(parsed.error)
  const { system, prompt, images } = parsed.data
  const messages: readonly Message[] = [
    ...(system === undefined ? [] : [{ role: 'system' as const, content: system }]),
    { role: 'user', content: toContent(prompt, images) },
  ]
  return accepted(toRequest(parsed.data, messages), 'prompt')
}

function toRequest(
  { model, stream, think, format, options }: Common,
  messages: readonly Message[],
): SimRequest {
  const most = options?.num_predict
  return {
    model,
    stream: stream !== false,
    includeUsage: true,
    ...(think != null && { thinking: think !== false }),
    signedReasoning: false,
    messages,
    toolChoice: 'auto',
    responseFormat: toResponseFormat(format),
    // Below one there is no limit (-1), or the context window is (-2).
    parameters: { ...(most != null && most > 0 && { maxTokens: most }) },
  }
}

/** Calls may have no ids: then a result belongs to the first open call of its name, or to the first open one. */
function toMessages(wire: readonly WireMessage[]): readonly Message[] {
  const open: { id: string; name: string }[] = []
  let calls = 0
  return wire.map(({ role, content = '', images, tool_calls: asked, ...rest }): Message => {
    if (role === 'assistant') {
      const toolCalls = (asked ?? []).map(({ id, function: { name, arguments: input } }) => {
        calls += 1
        return { id: id ?? `call_${calls}`, name, input }
      })
      open.push(...toolCalls)
      return { role, content, toolCalls }
    }
    if (role !== 'tool') return { role, content: toContent(content, images) }
    const byId = open.findIndex(({ id }) => id === rest.tool_call_id)
    const byName = open.findIndex(({ name }) => name === rest.tool_name)
    const [call] = open.splice(byId >= 0 ? byId : Math.max(0, byName), 1)
    const name = call?.name ?? rest.tool_name ?? 'unknown'
    return { role, toolCallId: call?.id ?? 'unknown', name, content: toContent(content, images) }
  })
}

/** Images are bare base64 here, without a media type. */
function toContent(
  text: string,
  images: readonly string[] | null | undefined,
): string | readonly ContentPart[] {
  if (images == null || images.length === 0) return text
  return [
    { type: 'text', text },
    ...images.map((data) => imageOf(`data:${mediaTypeOf(data)};base64,${data}`)),
  ]
}

function mediaTypeOf(base64: string): string {
  if (base64.startsWith('/9j/')) return 'image/jpeg'
  return base64.startsWith('R0lG') ? 'image/gif' : 'image/png'
}

function toResponseFormat(format: Common['format']): ResponseFormat {
  if (format === 'json') return { type: 'json' }
  return typeof format === 'object' && format !== null
    ? { type: 'json_schema', name: 'answer', schema: format }
    : { type: 'text' }
}
