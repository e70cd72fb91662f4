/** A real HTTP server for transport tests, and the events that it may send. */

import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'

export type UpstreamServer = AsyncDisposable & {
  readonly baseUrl: string
  readonly requests: {
    readonly headers: IncomingMessage['headers']
    readonly url: string
    readonly body: string
  }[]
  readonly sockets: readonly Socket[]
}

export type Answer = (response: ServerResponse, attempt: number) => void

/** Serves every request with `answer`, which is told how many requests came before. */
export async function serve(answer: Answer): Promise<UpstreamServer> {
  const requests: { headers: IncomingMessage['headers']; url: string; body: string }[] = []
  const sockets: Socket[] = []
  const server = createServer(async (request, response) => {
    let body = ''
    for await (const chunk of request) body += chunk
    requests.push({ headers: request.headers, url: request.url ?? '', body })
    answer(response, requests.length - 1)
  })
  server.on('connection', (socket) => sockets.push(socket))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  // A listening TCP server has an address of this shape.
  const { port } = server.address() as AddressInfo
  return {
    baseUrl: `http://127.0.0.1:${port}/v1`,
    requests,
    sockets,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

export function sendJson(response: ServerResponse, value: unknown, status = 200): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(value))
}

export function openStream(response: ServerResponse): void {
  response.writeHead(200, { 'content-type': 'text/event-stream' }).flushHeaders()
}

/** A chat completion with one choice. */
export function completion(message: object, finishReason: string | null = 'stop'): object {
  return { id: 'c1', model: 'm-2026', choices: [{ index: 0, message, finish_reason: finishReason }] }
}

/** One `data:` event with a chunk of choice 0. */
export function chunk(delta: object, finishReason: string | null = null): string {
  return event({ id: 'c1', model: 'm-2026', choices: [{ index: 0, delta, finish_reason: finishReason }] })
}

export function event(value: unknown): string {
  return `data: ${typeof value === 'string' ? value : JSON.stringify(value)}\n\n`
}
