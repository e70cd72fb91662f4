/**
 * What a wire format is to the engine: a pure request builder and a pure mapper from parsed JSON to parts.
 * A protocol does no I/O, starts no timer and knows neither HTTP nor framing; JSON answers and streams go
 * through the same mapper and give the same parts.
 */

import type { Reason } from '../../errors.ts'
import type { ModelRequest, PartSink } from '../types.ts'
import type { Dialect } from './dialects.ts'

export type ProtocolName = 'openai-chat' | 'openai-responses' | 'anthropic' | 'ollama'

export type RequestContext = {
  /** The model as the upstream names it. */
  readonly model: string
  readonly stream: boolean
  readonly dialect: Dialect
  /** Path of the request; protocols with several endpoints choose by it. Default: the protocol's own path. */
  readonly endpoint?: string
}

export type MapperContext = {
  /** Most bytes of the arguments of one tool call. */
  readonly toolArgumentBytes: number
  /** Ids for tool calls that came without one. */
  readonly newId: () => string
}

/** How one event was understood: `done` ends the answer, `error` is what the upstream reported, as it came. */
export type Mapped =
  | undefined
  | { readonly type: 'done' }
  | { readonly type: 'error'; readonly body: unknown }
  | { readonly type: 'invalid'; readonly reason: Reason; readonly message: string }

/**
 * How an answer ended. Only `complete` has emitted `finish`.
 * `truncated`: the body ended before the answer did.
 */
export type Ending =
  | { readonly type: 'complete' }
  | { readonly type: 'truncated' }
  | { readonly type: 'invalid'; readonly reason: Reason; readonly message: string }

/**
 * The state of one answer. Emits every part but `start` and `error`. Its fields are plain ones: V8 gives an object whose
 * getter is a closure a map of its own, which holds it and all that it refers to until the next full collection of
 * garbage (measured: 5 µs an answer, and most of what a scavenge has to copy).
 */
export type AnswerMapper = {
  /** As the upstream names it; null until it has. */
  readonly model: string | null
  /** The upstream's id of this answer, from the body. */
  readonly responseId: string | null
  /** The upstream has said why it stopped: nothing but usage is still to come. */
  readonly finished: boolean
  /** One event of a stream; `name` is its SSE event name. */
  event(json: unknown, name: string | undefined): Mapped
  /** A whole answer that came as one JSON value. */
  body(json: unknown): Mapped
  /** Called once, after the last event; `marked` says that the stream had its end marker (`[DONE]`). */
  end(marked: boolean): Ending
}

export type Protocol = {
  readonly name: ProtocolName
  /** Appended to the base URL. */
  readonly path: string
  /** How a stream of this protocol is framed where its label does not say. */
  readonly framing: 'sse' | 'ndjson'
  /** Throws TurnkeeperError (`bad_request/…`) where the request cannot be said in this protocol. */
  buildRequest(request: ModelRequest, context: RequestContext): unknown
  /** Sent with every request. */
  readonly headers?: Readonly<Record<string, string>>
  /** Headers that carry the credential. */
  authHeaders(apiKey: string, dialect: Dialect): Readonly<Record<string, string>>
  createMapper(emit: PartSink, context: MapperContext): AnswerMapper
}
