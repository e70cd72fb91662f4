/**
 * The words of the simulated upstream.
 *
 * - **answer**: what the simulated model says, in neutral form; each protocol encodes it as JSON or as events.
 * - **reply**: the bytes of one HTTP answer with their timing and their ending: faults turn replies into replies.
 * - **protocol**: one wire format under one path: a pure decoder and pure encoders.
 */

import type { Encoder, WireError } from '../encoders/encoder.ts'
import type { ModelRequest, ToolCall } from '../types.ts'

/** A decoded request of any protocol. */
export type SimRequest = ModelRequest & {
  /** As the client wrote it, fault suffix included. */
  readonly model: string
  readonly stream: boolean
  /** The client asked for usage in the event stream. */
  readonly includeUsage: boolean
  /** The client asked for thinking, or against it; absent: the model decides. */
  readonly thinking?: boolean
  /** The protocol, or the client, wants reasoning with a signature to send back. */
  readonly signedReasoning: boolean
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

/** One piece of a body: it is written, delayed and kept or dropped as a whole. */
export type Chunk = {
  readonly bytes: Buffer
  /** It says that the answer is complete (`[DONE]`, `message_stop`, `done: true`). */
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
  | { readonly type: 'refused'; readonly error: WireError }

/** One endpoint of one wire format. Nothing in it does I/O. */
export type SimProtocol = {
  readonly name: string
  /** Where it listens (POST). */
  readonly path: string
  readonly encoder: Encoder
  /** The response header in which this vendor names the request. */
  readonly requestIdHeader: 'x-request-id' | 'request-id'
  decode(body: unknown): Decoded
}
