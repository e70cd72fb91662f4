/** Speaks to a simulated upstream over real HTTP, and over a bare socket where the bytes matter. */

import { connect } from 'node:net'
import type { Sim } from '../../../src/providers/sim/sim.ts'

export type WireCall = {
  readonly id: string
  readonly type: string
  readonly function: { readonly name: string; readonly arguments: string }
}
export type WireMessage = {
  readonly role: string
  readonly content: string | null
  readonly tool_calls?: readonly WireCall[]
  readonly tool_call_id?: string
  readonly reasoning_content?: string
}
export type WireAnswer = {
  readonly id: string
  readonly object: string
  readonly model: string
  readonly choices: readonly { readonly message: WireMessage; readonly finish_reason: string }[]
  readonly usage: {
    readonly prompt_tokens: number
    readonly completion_tokens: number
    readonly total_tokens: number
  }
}
export type WireError = {
  readonly error: { readonly message: string; readonly type: string; readonly param: string | null }
}
export type WireDelta = {
  readonly role?: string
  readonly content?: string
  readonly reasoning_content?: string
  readonly tool_calls?: readonly {
    readonly index: number
    readonly id?: string
    readonly function: { readonly name?: string; readonly arguments: string }
  }[]
}
export type WireEvent = {
  readonly choices?: readonly { readonly delta: WireDelta; readonly finish_reason: string | null }[]
  readonly usage?: WireAnswer['usage'] | null
  readonly error?: WireError['error']
}

/** A greeting long enough to be cut in the middle. */
export const GREETING = {
  messages: [{ role: 'user', content: 'Hello there, how are you on this fine day?' }],
}

export function post(sim: Sim, body: unknown, init: RequestInit = {}): Promise<Response> {
  return fetch(`${sim.url}/v1/chat/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: 'Bearer secret', 'x-trace': 'kept' },
    body: JSON.stringify(body),
    ...init,
  })
}

export async function complete(sim: Sim, body: object): Promise<WireAnswer> {
  const response = await post(sim, { model: 'sim-large', ...body })
  return (await response.json()) as WireAnswer
}

export async function ask(sim: Sim, content: string, body: object = {}): Promise<WireMessage> {
  const answer = await complete(sim, { messages: [{ role: 'user', content }], ...body })
  const message = answer.choices[0]?.message
  if (message === undefined) throw new Error(`no message in ${JSON.stringify(answer)}`)
  return message
}

/** The data of the events in an event stream, in order. */
export function eventData(body: string): readonly string[] {
  return body
    .split('\n\n')
    .filter((block) => block.startsWith('data: '))
    .map((block) => block.slice('data: '.length))
}

/** The events of a stream but `[DONE]`. */
export function events(body: string): readonly WireEvent[] {
  return eventData(body)
    .filter((data) => data !== '[DONE]')
    .map((data) => JSON.parse(data) as WireEvent)
}

export type RawReply = {
  readonly head: string
  /** As it came over the wire, chunk framing included. */
  readonly body: Buffer
  /** The upstream closed the connection. */
  readonly closed: boolean
}

/** One request over a bare socket that stays open; resolves when it is closed, or after `quietMs` of silence. */
export function rawPost(sim: Sim, body: object, { quietMs = 150 } = {}): Promise<RawReply> {
  const payload = JSON.stringify(body)
  const head = `POST /v1/chat/completions HTTP/1.1\r\nhost: sim\r\ncontent-length: ${Buffer.byteLength(payload)}\r\n\r\n`
  return new Promise((resolve) => {
    const socket = connect(sim.port, '127.0.0.1')
    const received: Buffer[] = []
    const settle = (closed: boolean) => {
      socket.destroy()
      const all = Buffer.concat(received)
      const split = all.indexOf('\r\n\r\n')
      resolve({ head: all.subarray(0, split).toString(), body: all.subarray(split + 4), closed })
    }
    socket.setTimeout(quietMs, () => settle(false))
    socket.on('data', (data) => received.push(Buffer.from(data)))
    socket.on('end', () => settle(true))
    socket.on('error', () => settle(true))
    socket.write(head + payload)
  })
}

/** The payload of a body in chunked framing, and whether the framing ends as it should. */
export function dechunk(body: Buffer): { readonly payload: Buffer; readonly terminated: boolean } {
  const parts: Buffer[] = []
  let rest = body
  for (;;) {
    const line = rest.indexOf('\r\n')
    if (line < 0) return { payload: Buffer.concat(parts), terminated: false }
    const sizeBytes = Number.parseInt(rest.subarray(0, line).toString(), 16)
    if (sizeBytes === 0) return { payload: Buffer.concat(parts), terminated: true }
    parts.push(rest.subarray(line + 2, line + 2 + sizeBytes))
    rest = rest.subarray(line + 2 + sizeBytes + 2)
  }
}
