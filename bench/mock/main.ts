/**
 * The upstream of the benchmarks, in a process of its own: node:net and answers built beforehand, so that it is
 * never what is measured. It speaks OpenAI's chat API and Anthropic's, whole and streamed.
 *
 * The model name says how: `paced` sends an event every 5 ms, `tools` calls a tool first; any other answers at once.
 * Prints its port as the only line of standard output, and ends when standard input does.
 */

import { type AddressInfo, createServer, type Socket } from 'node:net'
import {
  CHAT_EVENTS,
  CHAT_JSON,
  CHAT_TOOL_CALL,
  MESSAGE_EVENTS,
  MESSAGE_JSON,
  STREAM_END,
  STREAM_HEAD,
  toHttpChunks,
} from './answers.ts'

const PACE_MS = 5
const CHAT_CHUNKS = toHttpChunks(CHAT_EVENTS)
const MESSAGE_CHUNKS = toHttpChunks(MESSAGE_EVENTS)
const CHAT_STREAM = Buffer.concat([STREAM_HEAD, ...CHAT_CHUNKS, STREAM_END])
const MESSAGE_STREAM = Buffer.concat([STREAM_HEAD, ...MESSAGE_CHUNKS, STREAM_END])
/** For the group `memory`: the headers and one event, and then nothing. */
const IDLE_STREAM = Buffer.concat([STREAM_HEAD, ...CHAT_CHUNKS.slice(0, 2)])

type Paced = { readonly socket: Socket; readonly chunks: readonly Buffer[]; at: number }

const paced = new Set<Paced>()

const server = createServer((socket) => {
  socket.setNoDelay(true)
  let held: Buffer = Buffer.alloc(0)
  socket.on('data', (chunk: Buffer) => {
    held = held.length === 0 ? chunk : Buffer.concat([held, chunk])
    for (;;) {
      const request = takeRequest(held)
      if (request === undefined) return
      held = request.rest
      answer(socket, request.head, request.body)
    }
  })
  socket.on('error', () => socket.destroy())
})

/** One request from the front of `held`, if it is there as a whole. */
function takeRequest(held: Buffer): { head: string; body: string; rest: Buffer } | undefined {
  const end = held.indexOf('\r\n\r\n')
  if (end === -1) return undefined
  const head = held.toString('latin1', 0, end)
  const size = Number(/content-length: (\d+)/i.exec(head)?.[1] ?? 0)
  const from = end + 4
  if (held.length < from + size) return undefined
  return { head, body: held.toString('latin1', from, from + size), rest: held.subarray(from + size) }
}

function answer(socket: Socket, head: string, body: string): void {
  const isMessages = head.startsWith('POST /v1/messages')
  const isStream = body.includes('"stream":true')
  if (body.includes('"model":"idle"')) socket.write(IDLE_STREAM)
  else if (body.includes('"model":"paced"')) {
    socket.write(STREAM_HEAD)
    paced.add({ socket, chunks: isMessages ? MESSAGE_CHUNKS : CHAT_CHUNKS, at: 0 })
  } else if (isStream) socket.write(isMessages ? MESSAGE_STREAM : CHAT_STREAM)
  else if (body.includes('"model":"tools"') && !body.includes('"role":"tool"')) socket.write(CHAT_TOOL_CALL)
  else socket.write(isMessages ? MESSAGE_JSON : CHAT_JSON)
}

setInterval(() => {
  for (const one of paced) {
    const chunk = one.chunks[one.at++]
    if (chunk !== undefined) one.socket.write(chunk)
    else {
      one.socket.write(STREAM_END)
      paced.delete(one)
    }
  }
}, PACE_MS)

server.listen(0, '127.0.0.1', 8192, () => {
  process.stdout.write(`${(server.address() as AddressInfo).port}\n`) // listening on TCP, so it has one
})
process.stdin.on('end', () => process.exit())
process.stdin.resume()
