/** Replies as data, and the one place that writes them to a socket. */

import type { ServerResponse } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Chunk, Reply } from './types.ts'

/** How the writing went. `aborted`: the client left before the reply was over. */
export type Delivery = { readonly aborted: boolean; readonly bytes: number }

/** A complete JSON body with its length. */
export function jsonReply(status: number, body: unknown): Reply {
  const bytes = Buffer.from(JSON.stringify(body))
  return bodyReply(status, 'application/json', bytes)
}

/** A complete body of any type with its length. */
export function bodyReply(status: number, contentType: string, bytes: Buffer): Reply {
  return {
    status,
    headers: { 'content-type': contentType, 'content-length': String(bytes.length) },
    chunks: bytes.length === 0 ? [] : [{ bytes }],
    headersAfterMs: 0,
    chunkEveryMs: 0,
    ending: 'end',
  }
}

/** A body of unknown length, one write for each chunk. */
export function streamReply(contentType: string, chunks: readonly Chunk[]): Reply {
  return {
    status: 200,
    headers: { 'content-type': contentType, 'cache-control': 'no-cache' },
    chunks,
    headersAfterMs: 0,
    chunkEveryMs: 0,
    ending: 'end',
  }
}

/**
 * Writes `reply` and resolves when the response is closed, by whichever side. Never rejects for what the client
 * does. A reply that hangs is over only when the client leaves.
 */
export async function deliver(response: ServerResponse, reply: Reply): Promise<Delivery> {
  const gone = new AbortController()
  const closed = new Promise<void>((resolve) => {
    response.once('close', () => {
      gone.abort()
      resolve()
    })
    if (response.destroyed) resolve()
  })
  let bytes = 0
  let delivered = false
  const count = (size: number) => {
    bytes += size
  }
  try {
    await write(response, reply, gone.signal, count)
    delivered = reply.ending !== 'hang'
  } catch (error) {
    if (!gone.signal.aborted) throw error
  }
  await closed
  return { aborted: !delivered, bytes }
}

async function write(
  response: ServerResponse,
  reply: Reply,
  signal: AbortSignal,
  count: (size: number) => void,
): Promise<void> {
  if (reply.headersAfterMs > 0) await sleep(reply.headersAfterMs, undefined, { signal })
  signal.throwIfAborted()
  response.writeHead(reply.status, reply.headers)
  response.flushHeaders()
  for (const chunk of reply.chunks) {
    if (reply.chunkEveryMs > 0) await sleep(reply.chunkEveryMs, undefined, { signal })
    signal.throwIfAborted()
    const ready = response.write(chunk.bytes)
    count(chunk.bytes.length)
    if (!ready) await drained(response, signal)
  }
  if (reply.ending === 'end') await ended(response, signal)
  if (reply.ending === 'cut') await cut(response)
}

function drained(response: ServerResponse, signal: AbortSignal): Promise<void> {
  return untilAborted(signal, (resolve) => response.once('drain', resolve))
}

function ended(response: ServerResponse, signal: AbortSignal): Promise<void> {
  return untilAborted(signal, (resolve) => response.end(resolve))
}

function untilAborted(signal: AbortSignal, start: (resolve: () => void) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) return reject(signal.reason)
    signal.addEventListener('abort', () => reject(signal.reason), { once: true })
    start(resolve)
  })
}

/** Closes the socket after what was written has left, so that the client sees exactly those bytes. */
function cut(response: ServerResponse): Promise<void> {
  return new Promise((resolve) => {
    const { socket } = response
    if (socket === null || socket.destroyed) return resolve()
    socket.write('', () => {
      socket.destroy()
      resolve()
    })
  })
}
