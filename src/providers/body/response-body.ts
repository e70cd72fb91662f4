/**
 * The bytes of one response to parts and a verdict: gate, framing and mapper put together. Pure but for the
 * parts that the mapper emits: no I/O, no timer.
 *
 * B1. Exactly one verdict is reached; what comes after it is ignored (data after `[DONE]` among it).
 * B2. A status other than 2xx never gives parts, whatever the body looks like.
 * B3. A body that ends before its answer does is `truncated_stream`, never complete.
 */

import { type Reason, TurnkeeperError } from '../../errors.ts'
import { classifyFailure } from '../failures/classify.ts'
import type { ExcerptOptions } from '../failures/excerpt.ts'
import { headerOf } from '../failures/retry-after.ts'
import { parseJson } from '../narrow.ts'
import type { AnswerMapper, Mapped } from '../protocols/protocol.ts'
import type { Limits } from '../types.ts'
import type { ContentKind, ResponseHeaders } from '../upstream.ts'
import { createGate, type Gate, type GateDecision } from './content-gate.ts'
import { type Framing, openBody, type Reading, truncated, wholeBody } from './framings.ts'

export type BodyVerdict =
  | { readonly type: 'complete' }
  | { readonly type: 'failed'; readonly error: TurnkeeperError }

export type BodyReader = {
  /** undefined until the gate has decided. */
  readonly kind: ContentKind | undefined
  push(chunk: Uint8Array): BodyVerdict | undefined
  /** The body ended in good order. */
  end(): BodyVerdict
  /** It ended otherwise: `error`, unless the answer itself was already whole. */
  breakOff(error: TurnkeeperError): BodyVerdict
}

export type BodyOptions = {
  readonly status: number
  readonly headers: ResponseHeaders
  readonly mapper: AnswerMapper
  readonly framing: 'sse' | 'ndjson'
  readonly streamed: boolean
  readonly limits: Limits
  readonly excerpt: ExcerptOptions
  /** Epoch milliseconds. */
  readonly now: () => number
}

/** Events repeat some 200 bytes of envelope around every token, so a stream may outweigh a JSON answer. */
const STREAM_WEIGHT = 16
/** An error body is read for its reason; more of it than this is a page. */
const ERROR_BYTES = 65_536

/** A reader of the body of one response. */
export function createBodyReader(options: BodyOptions): BodyReader {
  return new ResponseBody(options)
}

/** A class, since every response has one and every chunk passes it; it is its own `Reading`. */
class ResponseBody implements BodyReader, Reading {
  readonly mapper: AnswerMapper
  readonly status: number
  readonly limits: Limits
  kind: ContentKind | undefined
  readonly #options: BodyOptions
  readonly #gate: Gate
  #body: Framing | undefined
  #verdict: BodyVerdict | undefined
  #sizeBytes = 0
  #mostBytes: number

  constructor(options: BodyOptions) {
    const { status, headers, mapper, framing, streamed, limits } = options
    this.mapper = mapper
    this.status = status
    this.limits = limits
    this.#options = options
    this.#gate = createGate({ contentType: headerOf(headers, 'content-type'), framing, streamed })
    this.#mostBytes = limits.bodyBytes
  }

  push(chunk: Uint8Array): BodyVerdict | undefined {
    if (this.#verdict !== undefined) return this.#verdict
    this.#weigh(chunk)
    if (this.#body !== undefined) this.#body.push(chunk)
    else {
      const decision = this.#gate.push(chunk)
      if (decision !== undefined) this.#open(decision)
    }
    return this.#verdict
  }

  end(): BodyVerdict {
    if (this.#verdict === undefined && this.#body === undefined) this.#open(this.#gate.end())
    if (this.#verdict === undefined) this.#body?.end()
    return this.#verdict ?? { type: 'failed', error: truncated() }
  }

  breakOff(error: TurnkeeperError): BodyVerdict {
    // A torn last event shows that more was to come than the end marker.
    if (this.mapper.finished) this.#body?.end()
    this.fail(error)
    return this.#verdict!
  }

  // What framings may do with what they read.

  get isSettled(): boolean {
    return this.#verdict !== undefined
  }

  get sawBytes(): boolean {
    return this.#sizeBytes > 0
  }

  take(mapped: Mapped): void {
    if (mapped === undefined || this.#verdict !== undefined) return
    if (mapped.type === 'done') this.finish(true)
    else if (mapped.type === 'error') this.#report(mapped.body)
    else this.#failFor(mapped)
  }

  finish(marked: boolean): void {
    if (this.#verdict !== undefined) return
    const ending = this.mapper.end(marked)
    if (ending.type === 'complete') this.#verdict = ending
    else if (ending.type === 'truncated') this.fail(truncated())
    else this.#failFor(ending)
  }

  fail(error: TurnkeeperError): void {
    this.#verdict ??= { type: 'failed', error }
  }

  #failFor({ reason, message }: { readonly reason: Reason; readonly message: string }): void {
    this.fail(new TurnkeeperError(reason, message, { status: this.status }))
  }

  #report(body: unknown): void {
    const { status, headers, now, excerpt } = this.#options
    const kind = this.kind ?? 'empty'
    this.fail(classifyFailure({ status, headers, kind, body, now: now(), excerpt }))
  }

  #open({ kind, rest }: GateDecision): void {
    this.kind = kind
    if (kind === 'sse' || kind === 'ndjson') this.#mostBytes = this.limits.bodyBytes * STREAM_WEIGHT
    const isOk = this.status >= 200 && this.status < 300
    this.#body = isOk
      ? openBody(this, kind)
      : wholeBody(ERROR_BYTES, (text) => this.#report(errorBody(text, kind)))
    this.#body.push(rest)
  }

  #weigh(chunk: Uint8Array): void {
    this.#sizeBytes += chunk.length
    if (this.#sizeBytes <= this.#mostBytes) return
    const { status } = this
    this.fail(new TurnkeeperError('server_error', `the body exceeds ${this.#mostBytes} bytes`, { status }))
  }
}

/** JSON where it is some; plain text still has words to go by; a page has none. */
function errorBody(text: string, kind: ContentKind): unknown {
  return parseJson(text)?.value ?? (kind === 'other' ? text : undefined)
}
