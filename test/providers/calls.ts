/** One call of a provider on a server that answers as a test says, and what became of it. */

import type { TurnkeeperError } from '../../src/errors.ts'
import { createProvider, type ProviderOptions } from '../../src/providers/provider.ts'
import type { Answer as ModelAnswer, ModelRequest, StreamPart } from '../../src/providers/types.ts'
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
  const text = parts.map((part) => (part.type === 'text' ? part.delta : '')).join('')
  const reasoning = parts.map((part) => (part.type === 'reasoning' ? part.delta : '')).join('')
  const usage = parts.find((part) => part.type === 'usage')
  const finish = parts.find((part) => part.type === 'finish')
  const start = parts.find((part) => part.type === 'start')
  return {
    error: undefined,
    answer: {
      text,
      reasoning: reasoning === '' ? null : { text: reasoning },
      toolCalls: parts.flatMap((part) =>
        part.type === 'tool_call' ? [{ id: part.id, name: part.name, input: part.input }] : [],
      ),
      usage: usage ?? null,
      finishReason: finish?.reason ?? null,
      rawFinishReason: finish?.rawReason ?? null,
      ...(finish?.refusal !== undefined && { refusal: finish.refusal }),
      model: start?.model ?? null,
      requestId: start?.requestId ?? null,
      route: start?.route ?? '',
    },
  }
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
