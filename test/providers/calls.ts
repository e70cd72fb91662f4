/** One call of a provider on a server that answers as a test says, and what became of it. */

import type { TurnkeeperError } from '../../src/errors.ts'
import { createCollector } from '../../src/providers/collect.ts'
import { createProvider, type ProviderOptions } from '../../src/providers/provider.ts'
import type {
  Message,
  Answer as ModelAnswer,
  ModelRequest,
  Reasoning,
  StreamPart,
} from '../../src/providers/types.ts'
import { type Answer, serve, type UpstreamServer } from './upstream-server.ts'

export const ask: ModelRequest = { messages: [{ role: 'user', content: 'hi' }] }

export type Outcome = {
  readonly parts: readonly StreamPart[]
  readonly types: readonly StreamPart['type'][]
  /** The answer, or what had come of it before the error. */
  readonly answer: ModelAnswer
  readonly error: TurnkeeperError | undefined
  readonly requests: UpstreamServer['requests']
}

export type CallOptions = Partial<ProviderOptions> & { readonly request?: ModelRequest }

/** Calls `answer` once; without retries unless told otherwise. */
export async function callOf(answer: Answer, options: CallOptions = {}): Promise<Outcome> {
  const { request = ask, ...rest } = options
  await using server = await serve(answer)
  await using provider = createProvider({
    protocol: 'openai-chat',
    baseUrl: server.baseUrl,
    apiKey: 'k3y-value',
    model: 'm',
    retries: 0,
    ...rest,
  })
  const parts: StreamPart[] = []
  for await (const part of provider.stream(request)) parts.push(part)
  return { parts, types: parts.map(({ type }) => type), requests: server.requests, ...ending(parts) }
}

function ending(parts: readonly StreamPart[]): Pick<Outcome, 'answer' | 'error'> {
  const last = parts.at(-1)
  if (last?.type === 'error') return { answer: last.partial, error: last.error }
  const collector = createCollector('')
  for (const part of parts) collector.add(part)
  return { error: undefined, answer: collector.answer() }
}

/** What is sent in the step after one that ended in `reasoning` and a call. */
export async function nextRequest(
  protocol: ProviderOptions['protocol'] & string,
  reasoning: Reasoning | null,
): Promise<Readonly<Record<string, unknown>>> {
  const call: Message = {
    role: 'assistant',
    content: '',
    ...(reasoning && { reasoning }),
    toolCalls: [{ id: 'call_1', name: 'look', input: {} }],
  }
  const result: Message = { role: 'tool', toolCallId: 'call_1', name: 'look', content: 'seen' }
  const request: ModelRequest = { messages: [...ask.messages, call, result] }
  const { requests } = await callOf(body('{}'), { protocol, request, stream: false })
  return JSON.parse(requests[0]?.body ?? '') as Record<string, unknown> // it was built as one a moment ago
}

/** Answers with one body, whole. */
export const body =
  (text: string | Uint8Array, contentType?: string, status = 200, headers: object = {}): Answer =>
  (response) =>
    response.writeHead(status, { ...(contentType && { 'content-type': contentType }), ...headers }).end(text)

/** Answers with an event stream, each piece a write of its own. */
export const stream =
  (...pieces: readonly (string | Uint8Array)[]): Answer =>
  async (response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' }).flushHeaders()
    for (const piece of pieces) {
      response.write(piece)
      await new Promise((resolve) => setTimeout(resolve, 2))
    }
    response.end()
  }
