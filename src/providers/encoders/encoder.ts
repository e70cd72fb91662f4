/**
 * What a wire format is to those who answer in it: neutral parts in, events of the protocol out, and a whole answer
 * as one JSON body. Pure: no I/O, no clock. The gateway and the simulated upstream share one encoder a protocol.
 */

import type { Answer, StreamPart } from '../types.ts'

/** What identifies one answer on the wire. `id` is bare: each protocol puts its own prefix before it. */
export type Stamp = { readonly id: string; readonly model: string; readonly createdMs: number }

/** An error as an upstream reports it. `type` is OpenAI's word; protocols with words of their own go by `status`. */
export type WireError = {
  readonly status: number
  readonly type: string
  readonly message: string
  readonly param?: string
}

/** One event of a stream. */
export type WireEvent = {
  /** The SSE event name, where the protocol has them. */
  readonly name?: string
  /** Written as JSON; `[DONE]` stands for itself. */
  readonly data: unknown
  /** It says that the answer is complete: without it, a client must take the stream for truncated. */
  readonly terminal?: boolean
}

export type EncodingOptions = {
  /** The client asked for usage in the stream (`openai-chat` alone asks). Default false. */
  readonly includeUsage?: boolean
  /** Tokens of the request where they are known before the answer (Anthropic tells them first). Default 0. */
  readonly inputTokens?: number
}

/** One streamed answer in the making. */
export type AnswerEncoding = {
  /** The events that say `part`. Parts come as the provider contract orders them; `error` ends the stream. */
  part(part: StreamPart): readonly WireEvent[]
  /** An error inside a stream that had begun well, and the end of that stream. */
  fail(error: WireError): readonly WireEvent[]
}

export type Encoder = {
  readonly framing: 'sse' | 'ndjson'
  /** The body of an answer that is not streamed. */
  body(answer: Answer, stamp: Stamp): unknown
  /** Begins a streamed answer. */
  stream(stamp: Stamp, options?: EncodingOptions): AnswerEncoding
  /** The body of an error answer. */
  errorBody(error: WireError): unknown
  /** An error after `eventsBefore` events of a stream, for who has no encoding at hand. */
  errorEvents(error: WireError, stamp: Stamp, eventsBefore: number): readonly WireEvent[]
}
