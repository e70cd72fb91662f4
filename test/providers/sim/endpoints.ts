/** Every endpoint of the simulated upstream: how it is asked, and how an answer is read from its body. */

import type { Sim } from '../../../src/providers/sim/sim.ts'

export type Event = { readonly name: string | null; readonly data: Record<string, unknown> | '[DONE]' }

export type Endpoint = {
  readonly path: string
  /** What a request needs besides its model. */
  readonly body: (text: string, stream: boolean) => object
  /** The text of a whole answer. */
  readonly text: (body: Record<string, unknown>) => unknown
  /** The text that one event adds. */
  readonly delta: (event: Record<string, unknown>) => unknown
  /** Whether an event says that the answer is complete. */
  readonly isTerminal: (event: Event) => boolean
  /** The message of an error, in a body or in an event. */
  readonly error: (body: Record<string, unknown>) => unknown
}

const dig = (value: unknown, ...path: (string | number)[]): unknown =>
  path.reduce<unknown>(
    (inner, key) => (typeof inner === 'object' && inner !== null ? Reflect.get(inner, key) : undefined),
    value,
  )
const messages = (text: string) => [{ role: 'user', content: text }]
const isNamed = (name: string) => (event: Event) => event.name === name

export const ENDPOINTS: Readonly<Record<string, Endpoint>> = {
  'openai-chat': {
    path: '/v1/chat/completions',
    body: (text, stream) => ({ messages: messages(text), stream }),
    text: (body) => dig(body, 'choices', 0, 'message', 'content'),
    delta: (event) => dig(event, 'choices', 0, 'delta', 'content'),
    isTerminal: ({ data }) => data === '[DONE]',
    error: (body) => dig(body, 'error', 'message'),
  },
  'openai-responses': {
    path: '/v1/responses',
    body: (text, stream) => ({ input: text, stream }),
    text: (body) => dig(body, 'output', 0, 'content', 0, 'text'),
    delta: (event) => (event.type === 'response.output_text.delta' ? event.delta : undefined),
    isTerminal: isNamed('response.completed'),
    error: (body) => dig(body, 'error', 'message') ?? body.message,
  },
  anthropic: {
    path: '/v1/messages',
    body: (text, stream) => ({ messages: messages(text), max_tokens: 1000, stream }),
    text: (body) => dig(body, 'content', 0, 'text'),
    delta: (event) => dig(event, 'delta', 'text'),
    isTerminal: isNamed('message_stop'),
    error: (body) => dig(body, 'error', 'message'),
  },
  'ollama chat': {
    path: '/api/chat',
    body: (text, stream) => ({ messages: messages(text), stream }),
    text: (body) => dig(body, 'message', 'content'),
    delta: (event) => dig(event, 'message', 'content'),
    isTerminal: ({ data }) => data !== '[DONE]' && data.done === true,
    error: (body) => body.error,
  },
  'ollama generate': {
    path: '/api/generate',
    body: (text, stream) => ({ prompt: text, stream }),
    text: (body) => body.response,
    delta: (event) => event.response,
    isTerminal: ({ data }) => data !== '[DONE]' && data.done === true,
    error: (body) => body.error,
  },
}

export function send(sim: Sim, path: string, body: object): Promise<Response> {
  return fetch(`${sim.url}${path}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  })
}

export async function sendJson(sim: Sim, path: string, body: object): Promise<Record<string, unknown>> {
  return (await (await send(sim, path, body)).json()) as Record<string, unknown>
}

/** The events of a stream, whichever framing it has. */
export function readEvents(body: string): readonly Event[] {
  const blocks = body.startsWith('{') ? body.split('\n') : body.split('\n\n')
  return blocks
    .filter((block) => block !== '')
    .map((block) => {
      const data = block.startsWith('{') ? block : (/^data: (.*)$/m.exec(block)?.[1] ?? '')
      return {
        name: /^event: (.*)$/m.exec(block)?.[1] ?? null,
        data: data === '[DONE]' ? data : (JSON.parse(data) as Record<string, unknown>),
      }
    })
}
