/**
 * The words of the simulated upstream.
 *
 * - **answer**: what the simulated model says, in neutral form; each protocol encodes it as JSON or as events.
 * - **reply**: the bytes of one HTTP answer with their timing and their ending: faults turn replies into replies.
 * - **protocol**: one wire format under one path: a pure decoder and pure encoders.
 */

import type { ModelRequest, ToolCall } from '../types.ts'

/** A decoded request of any protocol. */
export type SimRequest = ModelRequest & {
  /** As the client wrote it, fault suffix included. */
  readonly model: string
  readonly stream: boolean
  /** The client asked for usage in the event stream. */
  readonly includeUsage: boolean
}

export type SimFinishReason = 'stop' | 'length' | 'tool_calls'

/** Counts in tokens, about four characters each. */
export type SimUsage = {
  readonly inputTokens: number
  readonly outputTokens: number
  readonly reasoningTokens: number
}

/** What the simulated model says. */
export type SimAnswer = {
  readonly text: string
  readonly reasoning?: string
  readonly toolCalls: readonly ToolCall[]
  readonly finishReason: SimFinishReason
  readonly usage: SimUsage
}

/** What identifies one answer on the wire. */
export type Stamp = { readonly id: string; readonly model: string; readonly createdMs: number }

/** An error as an upstream would report it. */
export type UpstreamError = {
  readonly status: number
  readonly type: string
  readonly message: string
  readonly param?: string
}

/** One piece of a body: it is written, delayed and kept or dropped as a whole. */
export type Chunk = {
  readonly bytes: Buffer
  /** It only says that the answer is complete (`[DONE]`). */
  readonly terminal?: boolean
}

/** One HTTP answer as data. */
export type Reply = {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly chunks: readonly Chunk[]
  /** Milliseconds from the request to the status line. */
  readonly headersAfterMs: number
  /** Milliseconds before each chunk. */
  readonly chunkEveryMs: number
  /** After the chunks: end the body properly, say nothing more, or close the socket. */
  readonly ending: 'end' | 'hang' | 'cut'
}

export type Decoded =
  | { readonly type: 'request'; readonly request: SimRequest }
  | { readonly type: 'refused'; readonly error: UpstreamError }

/** One wire format. Nothing in it does I/O. */
export type SimProtocol = {
  readonly name: string
  /** Where it listens (POST). */
  readonly path: string
  readonly streamContentType: string
  decode(body: unknown): Decoded
  /** The body of a JSON answer. */
  json(answer: SimAnswer, stamp: Stamp): unknown
  /** The chunks of a streamed answer, one event each. */
  events(answer: SimAnswer, stamp: Stamp, request: SimRequest): readonly Chunk[]
  /** The body of an error answer. */
  error(error: UpstreamError): unknown
  /** An error inside a stream that had begun with status 200, and the end of that stream. */
  errorEvents(error: UpstreamError): readonly Chunk[]
}
