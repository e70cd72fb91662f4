import { type TurnkeeperError, withDetails } from '../../errors.ts'
import { createCollector } from '../collect.ts'
import { requestIdOf } from '../failures/request-id.ts'
import { type EvidenceKeeper, type EvidenceOptions, keepEvidence } from '../recorder/evidence.ts'
import type { StreamPart } from '../types.ts'
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
  readonly evidence?: EvidenceOptions
}

const EXCERPT_BYTES = 2048

/** A record that starts its clock now. */
export function startRecord(subject: AttemptSubject): AttemptRecord {
  const { route, provider, streamed } = subject
  const evidence = subject.evidence && keepEvidence(subject.evidence)
  const startedAt = performance.now()
  const elapsed = (): number => performance.now() - startedAt
  const collector = createCollector(route)
  const excerpt: Uint8Array[] = []
  let freeBytes = EXCERPT_BYTES
  let phase: AttemptReport['phase'] = 'before_headers'
  let response: Pick<AttemptReport, 'status' | 'requestId' | 'responseHeaders' | 'headersMs'> = {}
  let timeToFirstContentMs: number | undefined

  return {
    evidence,
    get isCommitted() {
      return phase === 'after_content'
    },
    get requestId() {
      return response.requestId
    },
    headers(status, responseHeaders) {
      phase = 'before_content'
      const requestId = requestIdOf(responseHeaders)
      evidence?.headers(performance.now())
      response = { status, responseHeaders, headersMs: elapsed(), ...(requestId && { requestId }) }
    },
    bytes(chunk) {
      evidence?.decoded(chunk)
      if (freeBytes <= 0) return
      const kept = chunk.length <= freeBytes ? chunk : chunk.slice(0, freeBytes)
      excerpt.push(kept)
      freeBytes -= kept.length
    },
    part(part) {
      phase = 'after_content'
      if (timeToFirstContentMs === undefined && part.type !== 'start') timeToFirstContentMs = elapsed()
      collector.add(part)
    },
    toReport({ error, contentKind, idleMs }) {
      const partial = collector.answer()
      const kept = evidence?.evidence()
      const { status, requestId } = response
      const details = { provider, route, partial, ...(status && { status }), ...(requestId && { requestId }) }
      return {
        route,
        outcome: error === undefined ? 'ok' : error.reason === 'cancelled' ? 'cancelled' : 'failed',
        ...(error && { error: withDetails(error, details) }),
        phase,
        streamed,
        ...response,
        ...(contentKind && { contentKind }),
        ...(error && excerpt.length > 0 && { excerpt: Buffer.concat(excerpt) }),
        usage: partial.usage,
        durationMs: elapsed(),
        ...(timeToFirstContentMs !== undefined && { timeToFirstContentMs }),
        idleMs,
        ...(kept && { evidence: kept }),
      }
    },
  }
}
