/**
 * The faults, as a table: each row reads its argument and turns a healthy reply into a sick one. Replies are data,
 * so a row is a pure function; `reply.ts` alone touches the socket.
 *
 * Byte counts are bytes of the body, before chunked framing; headers always come first.
 */

import { gzipSync } from 'node:zlib'
import type { Stamp, WireError } from '../encoders/encoder.ts'
import { errorChunks, streamContentType } from './protocols/answers.ts'
import type { Random } from './random.ts'
import { bodyReply, jsonReply } from './reply.ts'
import type { Chunk, Reply, SimProtocol } from './types.ts'

export type FaultContext = {
  readonly protocol: SimProtocol
  readonly stream: boolean
  readonly random: Random
  readonly stamp: Stamp
}

/** A fault with its argument read. `spec` is the text that it came from. */
export type Fault = {
  readonly spec: string
  apply(reply: Reply, context: FaultContext): Reply
}

export type ParsedFault =
  | { readonly type: 'fault'; readonly fault: Fault }
  | { readonly type: 'unknown'; readonly problem: string }

type Row = {
  /** What the argument is, if there is one. */
  readonly argument?: 'bytes' | 'milliseconds' | 'status' | 'text'
  /** The argument where none was given. */
  readonly fallback?: string
  apply(reply: Reply, argument: Argument, context: FaultContext): Reply
}

type Argument = { readonly text: string; readonly count: number }

const PAGE = (title: string) =>
  Buffer.from(
    `<!DOCTYPE html>\n<html lang="en">\n<head><title>${title}</title></head>\n` +
      `<body><center><h1>${title}</h1></center><hr><center>simulated edge</center></body>\n</html>\n`,
  )

const GARBAGE_BYTES = 512

const FAULTS = {
  /** No fault: shields one model from a rule for all. */
  plain: { apply: (reply) => reply },
  html: { apply: () => bodyReply(200, 'text/html; charset=utf-8', PAGE('Welcome')) },
  html502: { apply: () => bodyReply(502, 'text/html', PAGE('502 Bad Gateway')) },
  stall: {
    argument: 'bytes',
    fallback: '0',
    apply: (reply, { count }) => ({ ...reply, chunks: firstBytes(reply.chunks, count), ending: 'hang' }),
  },
  cut: {
    argument: 'bytes',
    fallback: '0',
    apply: (reply, { count }) => ({ ...reply, chunks: firstBytes(reply.chunks, count), ending: 'cut' }),
  },
  truncate: {
    argument: 'bytes',
    fallback: '0',
    apply: (reply, { count }) => ({ ...withoutLength(reply), chunks: firstBytes(reply.chunks, count) }),
  },
  error: { argument: 'bytes', fallback: '0', apply: errorInside },
  429: {
    argument: 'text',
    fallback: '1',
    apply: (_reply, { text }, context) => {
      const reply = refusal(context, 429, 'rate_limit_exceeded', 'Rate limit reached, retry later.')
      return { ...reply, headers: { ...reply.headers, 'retry-after': text } }
    },
  },
  500: {
    apply: (_reply, _argument, context) => refusal(context, 500, 'server_error', 'The server had an error.'),
  },
  529: {
    apply: (_reply, _argument, context) => refusal(context, 529, 'overloaded_error', 'Overloaded'),
  },
  /** Any other HTTP error, for instance `status:401`. */
  status: {
    argument: 'status',
    apply: (_reply, { count }, context) =>
      refusal(context, count, `http_${count}`, `Simulated status ${count}.`),
  },
  slowheaders: {
    argument: 'milliseconds',
    fallback: '1000',
    apply: (reply, { count }) => ({ ...reply, headersAfterMs: count }),
  },
  slow: {
    argument: 'milliseconds',
    fallback: '100',
    apply: (reply, { count }) => ({ ...reply, chunkEveryMs: count }),
  },
  wrongtype: {
    apply: (reply, _argument, { stream, protocol }) =>
      withContentType(reply, stream ? 'application/json' : streamContentType(protocol)),
  },
  garbage: {
    apply: (reply, _argument, { random }) =>
      bodyReply(200, reply.headers['content-type'] ?? 'application/json', garbage(random)),
  },
  empty: { apply: (reply) => bodyReply(200, reply.headers['content-type'] ?? '', Buffer.alloc(0)) },
  nodone: {
    apply: (reply) => ({ ...reply, chunks: reply.chunks.filter((chunk) => chunk.terminal !== true) }),
  },
  gzip: {
    apply: (reply) => ({ ...withoutLength(reply), chunks: [{ bytes: gzipSync(bodyOf(reply.chunks)) }] }),
  },
} as const satisfies Record<string, Row>

/** The names of all faults, for messages and for tests that go through every one. */
export const FAULT_NAMES: readonly string[] = Object.keys(FAULTS)

/** Reads `name` or `name:argument`. */
export function parseFault(spec: string): ParsedFault {
  const colon = spec.indexOf(':')
  const name = colon < 0 ? spec : spec.slice(0, colon)
  const given = colon < 0 ? undefined : spec.slice(colon + 1)
  const row = rowOf(name)
  if (row === undefined) {
    return { type: 'unknown', problem: `unknown fault "${name}": known are ${FAULT_NAMES.join(', ')}` }
  }
  const argument = readArgument(row, given)
  if (typeof argument === 'string') return { type: 'unknown', problem: `fault "${name}" ${argument}` }
  return { type: 'fault', fault: { spec, apply: (reply, context) => row.apply(reply, argument, context) } }
}

/** The fault behind the first `+` of a model name, if there is one. */
export function faultOfModel(model: string): ParsedFault | undefined {
  const plus = model.indexOf('+')
  return plus < 0 ? undefined : parseFault(model.slice(plus + 1))
}

function rowOf(name: string): Row | undefined {
  return Object.hasOwn(FAULTS, name) ? FAULTS[name as keyof typeof FAULTS] : undefined // hasOwn has just said so
}

/** The argument, or what is wrong with it. */
function readArgument(row: Row, given: string | undefined): Argument | string {
  if (row.argument === undefined) {
    return given === undefined ? { text: '', count: 0 } : `takes no argument, got "${given}"`
  }
  const text = given ?? row.fallback
  if (text === undefined || text === '') return `needs an argument: ${row.argument}`
  if (row.argument === 'text') return { text, count: 0 }
  const count = /^\d{1,9}$/.test(text) ? Number(text) : Number.NaN
  if (Number.isNaN(count)) return `needs a whole number (${row.argument}), got "${text}"`
  if (row.argument === 'status' && (count < 400 || count > 599))
    return `needs a status of 400 to 599, got ${text}`
  return { text, count }
}

/** Inside a stream: at the first event boundary that has `count` bytes before it. Else: an error object, status 200. */
function errorInside(reply: Reply, { count }: Argument, { protocol, stream, stamp }: FaultContext): Reply {
  const error: WireError = {
    status: 500,
    type: 'server_error',
    message: 'The provider failed inside the answer.',
  }
  if (!stream) return jsonReply(200, protocol.encoder.errorBody(error))
  const before: Chunk[] = []
  let sizeBytes = 0
  for (const chunk of reply.chunks) {
    if (sizeBytes >= count || chunk.terminal === true) break
    before.push(chunk)
    sizeBytes += chunk.bytes.length
  }
  const after = errorChunks(error, protocol, { stamp, eventsBefore: before.length })
  return { ...reply, chunks: [...before, ...after] }
}

function refusal({ protocol }: FaultContext, status: number, type: string, message: string): Reply {
  return jsonReply(status, protocol.encoder.errorBody({ status, type, message }))
}

function firstBytes(chunks: readonly Chunk[], count: number): readonly Chunk[] {
  const kept: Chunk[] = []
  let left = count
  for (const chunk of chunks) {
    if (left <= 0) break
    kept.push({ ...chunk, bytes: chunk.bytes.subarray(0, left) })
    left -= chunk.bytes.length
  }
  return kept
}

function withoutLength(reply: Reply): Reply {
  const { 'content-length': _length, ...headers } = reply.headers
  return { ...reply, headers }
}

function withContentType(reply: Reply, contentType: string): Reply {
  return { ...reply, headers: { ...reply.headers, 'content-type': contentType } }
}

function bodyOf(chunks: readonly Chunk[]): Buffer {
  return Buffer.concat(chunks.map((chunk) => chunk.bytes))
}

/** It starts with a NUL and a byte that UTF-8 forbids, so that no sniffing can take it for text. */
function garbage(random: Random): Buffer {
  const noise = Array.from({ length: GARBAGE_BYTES - 2 }, () => Math.floor(random() * 256))
  return Buffer.from([0x00, 0xff, ...noise])
}
