/**
 * The exchange of one attempt while it runs.
 *
 * started ──sent──▶ waiting ──headers──▶ reading ──verdict──▶ settled ──response ended──▶ left
 *    └──────────────┴── network error, timer, cancel ─────────────▶ settled ──at once──▶ left
 */

import { randomUUID } from 'node:crypto'

import { TurnkeeperError, toTurnkeeperError } from '../../errors.ts'
import { type ByteSink, createDecoder, type Decoder } from '../body/content-encoding.ts'
import { type BodyReader, type BodyVerdict, createBodyReader } from '../body/response-body.ts'
import { headerOf } from '../failures/retry-after.ts'
import type { Exchange, HttpSink } from '../http.ts'
import type { AnswerMapper } from '../protocols/protocol.ts'
import type { PartSink, StreamPart } from '../types.ts'
import type { AttemptOptions, AttemptReport, ResponseHeaders } from '../upstream.ts'
import type { AttemptRecord } from './attempt-record.ts'
import { type DeadlineReason, type Deadlines, startDeadlines } from './deadlines.ts'
import type { BuiltRequest } from './http-request.ts'
import type { Target } from './target.ts'

export type ExchangeWith = {
  readonly built: BuiltRequest
  readonly record: AttemptRecord
  readonly emit: PartSink
  readonly options: AttemptOptions
}

/** Sends a request and resolves when the fate of its answer is known and its connection is free, or lost. */
export function runExchange(target: Target, exchange: ExchangeWith): Promise<AttemptReport> {
  return new Promise((resolve) => new RunningAttempt(target, { ...exchange, resolve }).start())
}

/** How long the end of a response is waited for after the end marker of its answer. */
const DRAIN_MS = 100

type Running = ExchangeWith & { readonly resolve: (report: AttemptReport) => void }

/** A class, since every call has one and every byte passes it: as closures it would be twenty objects. */
class RunningAttempt implements HttpSink, ByteSink {
  readonly #target: Target
  readonly #running: Running
  readonly #mapper: AnswerMapper
  readonly #deadlines: Deadlines
  readonly #unwatch: (() => void) | undefined
  #exchange: Exchange | undefined
  #body: BodyReader | undefined
  /** Undoes the content encoding of the body, where it has one. */
  #decoder: Decoder | undefined
  #drainTimer: NodeJS.Timeout | undefined
  /** A function, since for a listener that is an object Node makes an async one of its own. */
  #onAbort: (() => void) | undefined
  /** Set once the fate of the answer is known. */
  #report: AttemptReport | undefined
  /** Nothing more comes from the connection. */
  #isOver = false

  constructor(target: Target, running: Running) {
    const { protocol, limits, timeouts, route, silences } = target
    this.#target = target
    this.#running = running
    const { toolArgumentBytes } = limits
    this.#mapper = protocol.createMapper((part) => this.#onPart(part), { toolArgumentBytes, newId })
    const onExpire = (reason: DeadlineReason, afterMs: number): void => this.onError(expired(reason, afterMs))
    this.#deadlines = startDeadlines({ timeouts, now, onExpire })
    this.#unwatch = silences?.watch(route, this.#deadlines)
  }

  start(): void {
    const { options, record, built } = this.#running
    const { signal } = options
    if (signal?.aborted) {
      this.#cancel()
      return
    }
    if (signal !== undefined) {
      // Not assigned at once: V8 makes a function that stands right of such an assignment in the old generation, from
      // where it keeps alive what it holds (measured: 3 KB a call past the next scavenges).
      const onAbort = (): void => this.#cancel()
      this.#onAbort = onAbort
      signal.addEventListener('abort', onAbort)
    }
    record.evidence?.sent({ method: 'POST', ...built.http })
    this.#exchange = this.#target.http.send(built.http, this)
  }

  // What comes of the request.

  onSent(): void {
    this.#deadlines.sent()
  }

  onHeaders(status: number, headers: ResponseHeaders): void {
    const { protocol, limits, stream } = this.#target
    const { record, built, options } = this.#running
    this.#deadlines.headers()
    record.headers(status, headers)
    this.#body = createBodyReader({
      status,
      headers,
      mapper: this.#mapper,
      framing: protocol.framing,
      streamed: options.stream ?? stream,
      limits,
      excerpt: built.excerpt,
      now: Date.now,
    })
    this.#decoder = createDecoder(headerOf(headers, 'content-encoding'), this)
  }

  onData(chunk: Uint8Array): void {
    const at = now()
    this.#deadlines.bytes(chunk.length, at)
    this.#running.record.evidence?.raw(chunk, at)
    if (this.#decoder === undefined) this.push(chunk)
    else this.#decoder.push(chunk)
  }

  onEnd(): void {
    if (this.#report !== undefined || this.#decoder === undefined) this.end()
    else this.#decoder.end()
  }

  /** The connection is of no more use; the answer may be whole nevertheless. */
  onError(error: TurnkeeperError): void {
    this.#over()
    if (this.#report !== undefined) return
    try {
      this.#conclude(this.#body === undefined ? { type: 'failed', error } : this.#body.breakOff(error))
    } catch (fault) {
      this.#settle(toTurnkeeperError(fault))
    }
  }

  // The body, its content encoding undone. A fault of ours, or of the caller's sink, ends the attempt and not the process.

  push(chunk: Uint8Array): void {
    if (this.#report !== undefined) return
    const { record, options } = this.#running
    record.bytes(chunk)
    options.onBytes?.(chunk)
    try {
      this.#conclude(this.#body?.push(chunk))
    } catch (fault) {
      this.#settle(toTurnkeeperError(fault))
    }
    if (this.#report === undefined && this.#mapper.finished) this.#deadlines.finished()
  }

  end(): void {
    this.#over()
    if (this.#report !== undefined) return
    try {
      this.#conclude(this.#body?.end())
    } catch (fault) {
      this.#settle(toTurnkeeperError(fault))
    }
  }

  fail(error: TurnkeeperError): void {
    this.onError(error)
  }

  #onPart(part: StreamPart): void {
    const { record } = this.#running
    if (isContent(part)) this.#deadlines.content()
    if (!record.isCommitted) {
      const { model, responseId } = this.#mapper
      const requestId = record.requestId ?? responseId
      this.#pass({ type: 'start', requestId, model, route: this.#target.route })
    }
    this.#pass(part)
  }

  #pass(part: StreamPart): void {
    this.#running.record.part(part)
    this.#running.emit(part)
  }

  // The end.

  #cancel(): void {
    this.#over()
    this.#settle(new TurnkeeperError('cancelled', 'the model call was cancelled'))
  }

  /** Nothing more comes from the connection, or is wanted. */
  #over(): void {
    this.#isOver = true
    if (this.#report !== undefined) this.#leave(this.#report)
  }

  #conclude(verdict: BodyVerdict | undefined): void {
    if (verdict !== undefined) this.#settle(verdict.type === 'failed' ? verdict.error : undefined)
  }

  /** The first call decides. */
  #settle(error: TurnkeeperError | undefined): void {
    if (this.#report !== undefined) return
    this.#deadlines.stop()
    this.#unwatch?.()
    this.#decoder?.close()
    const idleMs = this.#deadlines.longestSilenceMs
    const report = this.#running.record.toReport({ error, contentKind: this.#body?.kind, idleMs })
    this.#report = report
    // A connection whose response has not ended cannot be used by the next request.
    if (error !== undefined || this.#isOver) this.#leave(report)
    else this.#drainTimer = setTimeout(() => this.#leave(report), DRAIN_MS)
  }

  #leave(report: AttemptReport): void {
    clearTimeout(this.#drainTimer)
    if (this.#onAbort) this.#running.options.signal?.removeEventListener('abort', this.#onAbort)
    this.#exchange?.abort()
    this.#running.resolve(report)
  }
}

function now(): number {
  return performance.now()
}

/** At most 40 signs: OpenAI refuses longer ids when they come back. */
function newId(): string {
  return `call_${randomUUID().replaceAll('-', '')}`
}

/** Content moves the commit point and the first-content timer; usage and endings do not. */
function isContent({ type }: StreamPart): boolean {
  return type === 'text' || type === 'reasoning' || type === 'tool_call_delta' || type === 'tool_call'
}

const EXPIRED: Readonly<Record<DeadlineReason, string>> = {
  timeout_headers: 'no response headers',
  timeout_first_content: 'no content',
  stall: 'no byte',
  timeout_total: 'no end of the answer',
}

function expired(reason: DeadlineReason, afterMs: number): TurnkeeperError {
  return new TurnkeeperError(reason, `${EXPIRED[reason]} from the upstream for ${afterMs} ms`)
}
