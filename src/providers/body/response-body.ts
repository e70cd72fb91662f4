/**
 * The bytes of one response to parts and a verdict: gate, framing and mapper put together. Pure but for the
 * parts that the mapper emits: no I/O, no timer.
 *
 * B1. Exactly one verdict is reached; what comes after it is ignored (data after `[DONE]` among it).
 * B2. A status other than 2xx never gives parts, whatever the body looks like.
 * B3. A body that ends before its answer does is `truncated_stream`, never complete.
 */

import { TurnkeeperError } from '../../errors.ts'
import { classifyFailure } from '../failures/classify.ts'
import type { ExcerptOptions } from '../failures/excerpt.ts'
import { headerOf } from '../failures/retry-after.ts'
import { parseJson } from '../narrow.ts'
import type { AnswerMapper, Mapped } from '../protocols/protocol.ts'
import type { Limits } from '../types.ts'
import type { ContentKind, ResponseHeaders } from '../upstream.ts'
import { createGate, type GateDecision } from './content-gate.ts'
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
  const { status, headers, mapper, framing, streamed, limits, excerpt, now } = options
  const isOk = status >= 200 && status < 300
  const gate = createGate({ contentType: headerOf(headers, 'content-type'), framing, streamed })
  let kind: ContentKind | undefined
  let body: Framing | undefined
  let verdict: BodyVerdict | undefined
  let sizeBytes = 0

  const fail = (error: TurnkeeperError): void => {
    verdict ??= { type: 'failed', error }
  }
  const finish = (marked: boolean): void => {
    if (verdict !== undefined) return
    const ending = mapper.end(marked)
    if (ending.type === 'complete') verdict = ending
    else if (ending.type === 'truncated') fail(truncated())
    else fail(new TurnkeeperError(ending.reason, ending.message, { status }))
  }
  const report = (reported: unknown): void => {
    fail(classifyFailure({ status, headers, kind: kind ?? 'empty', body: reported, now: now(), excerpt }))
  }
  const take = (mapped: Mapped): void => {
    if (mapped === undefined || verdict !== undefined) return
    if (mapped.type === 'done') finish(true)
    else if (mapped.type === 'error') report(mapped.body)
    else fail(new TurnkeeperError(mapped.reason, mapped.message, { status }))
  }
  const open = (decision: GateDecision): void => {
    kind = decision.kind
    const isSettled = (): boolean => verdict !== undefined
    const sawBytes = sizeBytes > 0
    const reading: Reading = { mapper, status, limits, kind, isSettled, take, finish, fail, sawBytes }
    body = isOk ? openBody(reading) : wholeBody(ERROR_BYTES, (text) => report(errorBody(text, decision.kind)))
    body.push(decision.rest)
  }
  const weigh = (chunk: Uint8Array): void => {
    sizeBytes += chunk.length
    const most = limits.bodyBytes * (kind === 'sse' || kind === 'ndjson' ? STREAM_WEIGHT : 1)
    if (sizeBytes > most)
      fail(new TurnkeeperError('server_error', `the body exceeds ${most} bytes`, { status }))
  }

  return {
    get kind() {
      return kind
    },
    push(chunk) {
      if (verdict !== undefined) return verdict
      weigh(chunk)
      if (body !== undefined) body.push(chunk)
      else {
        const decision = gate.push(chunk)
        if (decision !== undefined) open(decision)
      }
      return verdict
    },
    end() {
      if (verdict === undefined && body === undefined) open(gate.end())
      if (verdict === undefined) body?.end()
      return verdict ?? { type: 'failed', error: truncated() }
    },
    breakOff(error) {
      // A torn last event shows that more was to come than the end marker.
      if (mapper.finished) body?.end()
      fail(error)
      return verdict!
    },
  }
}

/** JSON where it is some; plain text still has words to go by; a page has none. */
function errorBody(text: string, kind: ContentKind): unknown {
  return parseJson(text)?.value ?? (kind === 'other' ? text : undefined)
}
