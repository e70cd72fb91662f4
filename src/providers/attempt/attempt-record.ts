import { type TurnkeeperError, withDetails } from '../../errors.ts'
import { type Collector, createCollector } from '../collect.ts'
import { requestIdOf } from '../failures/request-id.ts'
import { BytePieces } from '../recorder/byte-pieces.ts'
import { type EvidenceKeeper, type EvidenceOptions, keepEvidence } from '../recorder/evidence.ts'
import type { Answer, StreamPart } from '../types.ts'
import type { AttemptReport, ContentKind, ResponseHeaders } from '../upstream.ts'

/** What is noted while an attempt runs, and the report that comes of it. */
export type AttemptRecord = {
  readonly isCommitted: boolean
  readonly requestId: string | undefined
  /** What the recorder may want; undefined where nobody records. */
  readonly evidence: EvidenceKeeper | undefined
  headers(status: number, headers: ResponseHeaders): void
  bytes(chunk: Uint8Array): void
  part(part: StreamPart): void
  toReport(end: AttemptEnd): AttemptReport
}

export type AttemptEnd = {
  /** Absent when the attempt went well. */
  readonly error: TurnkeeperError | undefined
  readonly contentKind: ContentKind | undefined
  readonly idleMs: number
}

export type AttemptSubject = {
  readonly route: string
  readonly provider: string
  readonly streamed: boolean
  /** How much of the exchange is kept for a record. Default nothing. */
  readonly evidence?: EvidenceOptions | undefined
}

const EXCERPT_BYTES = 2048

/** A record that starts its clock now. */
export function startRecord(subject: AttemptSubject): AttemptRecord {
  return new RunningRecord(subject)
}

type Response = Pick<AttemptReport, 'status' | 'requestId' | 'responseHeaders' | 'headersMs'>

/** A class, since every attempt has one and every part passes it. */
class RunningRecord implements AttemptRecord {
  readonly evidence: EvidenceKeeper | undefined
  isCommitted = false
  readonly #subject: AttemptSubject
  readonly #startedAt = performance.now()
  readonly #collector: Collector
  readonly #excerpt = new BytePieces()
  #response: Response | undefined
  #timeToFirstContentMs: number | undefined

  constructor(subject: AttemptSubject) {
    this.#subject = subject
    this.evidence = subject.evidence && keepEvidence(subject.evidence)
    this.#collector = createCollector(subject.route)
  }

  get requestId(): string | undefined {
    return this.#response?.requestId
  }

  headers(status: number, responseHeaders: ResponseHeaders): void {
    const at = performance.now()
    const requestId = requestIdOf(responseHeaders)
    this.evidence?.headers(at)
    this.#response = {
      status,
      responseHeaders,
      headersMs: at - this.#startedAt,
      ...(requestId && { requestId }),
    }
  }

  bytes(chunk: Uint8Array): void {
    this.evidence?.decoded(chunk)
    const freeBytes = EXCERPT_BYTES - this.#excerpt.sizeBytes
    if (freeBytes > 0) this.#excerpt.push(chunk, freeBytes)
  }

  part(part: StreamPart): void {
    this.isCommitted = true
    if (this.#timeToFirstContentMs === undefined && part.type !== 'start') {
      this.#timeToFirstContentMs = performance.now() - this.#startedAt
    }
    this.#collector.add(part)
  }

  toReport({ error, contentKind, idleMs }: AttemptEnd): AttemptReport {
    const { route, streamed } = this.#subject
    const answer = this.#collector.answer()
    const kept = this.evidence?.evidence()
    const firstContentMs = this.#timeToFirstContentMs
    return {
      route,
      outcome: error === undefined ? 'ok' : error.reason === 'cancelled' ? 'cancelled' : 'failed',
      phase: this.#phase(),
      streamed,
      usage: answer.usage,
      durationMs: performance.now() - this.#startedAt,
      idleMs,
      ...this.#response,
      ...(error && this.#failure(error, answer)),
      ...(contentKind && { contentKind }),
      ...(firstContentMs !== undefined && { timeToFirstContentMs: firstContentMs }),
      ...(kept && { evidence: kept }),
    }
  }

  #phase(): AttemptReport['phase'] {
    if (this.isCommitted) return 'after_content'
    return this.#response === undefined ? 'before_headers' : 'before_content'
  }

  #failure(error: TurnkeeperError, partial: Answer): Pick<AttemptReport, 'error' | 'excerpt'> {
    const { route, provider } = this.#subject
    const { status, requestId } = this.#response ?? {}
    const details = { provider, route, partial, ...(status && { status }), ...(requestId && { requestId }) }
    return {
      error: withDetails(error, details),
      ...(this.#excerpt.sizeBytes > 0 && { excerpt: Buffer.concat(this.#excerpt.toChunks()) }),
    }
  }
}
