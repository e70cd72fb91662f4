/** The evidence of an attempt as a record: pure, and run in the background, since redaction reads every byte. */

import type { Redactor } from '../../telemetry/redaction.ts'
import { headerOf } from '../failures/retry-after.ts'
import type { AttemptReport } from '../upstream.ts'
import type { Ends, Evidence } from './evidence.ts'
import { edgeMarksOf, requestIdsOf, titleOf } from './marks.ts'
import { rawOf } from './raw-bytes.ts'
import type { RecordedResponse, RecordLine, Timings, Trail } from './record.ts'
import { sanitizeHeaders, sanitizeUrl } from './sanitize.ts'

/** What is known when an attempt has ended. */
export type Recordable = {
  readonly id: string
  readonly at: number
  readonly provider: string
  readonly report: AttemptReport
  readonly evidence: Evidence
  readonly trail: Omit<Trail, 'streamed'>
  readonly traceId?: string
}

export type RecordOptions = {
  readonly redactor: Redactor
  readonly excerptBytes: number
  /** Whether what was sent is kept. */
  readonly keepRequest: boolean
}

/** A request longer than this is cut: it is the caller's, who can make it again. */
const REQUEST_CHARS = 262_144

/** The whole line of a record; where it will stand is added by whoever writes it. */
export function toRecordLine(recordable: Recordable, options: RecordOptions): RecordLine {
  const { id, at, provider, report, evidence, trail, traceId } = recordable
  const { redactor, keepRequest } = options
  const { route, outcome, error, phase, streamed, responseHeaders = {} } = report
  const { method, url, headers, body } = evidence.request
  const response = toResponse(recordable, options)
  return {
    id,
    at,
    ...(traceId !== undefined && { traceId }),
    route,
    provider,
    outcome,
    ...(error && { code: error.code, message: redactor.text(error.message) }),
    phase,
    request: {
      method,
      url: sanitizeUrl(url, redactor),
      headers: sanitizeHeaders(headers, redactor),
      sizeBytes: Buffer.byteLength(body),
    },
    ...(response && { response }),
    timings: toTimings(report, evidence.gapsMs),
    trail: { ...trail, streamed },
    ...rawOf(evidence, headerOf(responseHeaders, 'content-encoding'), redactor),
    ...(keepRequest && { requestBody: redactor.text(body).slice(0, REQUEST_CHARS) }),
  }
}

function toResponse(
  { report, evidence }: Recordable,
  { redactor, excerptBytes }: RecordOptions,
): RecordedResponse | undefined {
  const { status, responseHeaders = {}, contentKind } = report
  if (status === undefined) return undefined
  const headers = sanitizeHeaders(responseHeaders, redactor)
  const text = decodedText(evidence, redactor)
  const excerpt = cutText(text, excerptBytes)
  const title = contentKind === 'html' ? titleOf(text) : undefined
  return {
    status,
    headers,
    requestIds: requestIdsOf(headers, text),
    ...(contentKind && { kind: contentKind }),
    sizeBytes: evidence.rawBytes,
    ...(excerpt !== '' && { excerpt }),
    ...(title !== undefined && { title }),
    edge: edgeMarksOf(headers, text),
  }
}

/** What was kept of the decoded body, redacted as a whole: a secret may have come in two chunks. */
function decodedText({ decoded, decodedBytes }: Evidence, redactor: Redactor): string {
  const bytes = Buffer.concat(decoded)
  const isCut = decodedBytes > bytes.length
  // `stream`: a character whose end was cut off is left out, not replaced
  const text = new TextDecoder().decode(bytes, { stream: isCut })
  return redactor.text(text, { cutEnd: isCut })
}

function cutText(text: string, maxBytes: number): string {
  if (Buffer.byteLength(text) <= maxBytes) return text
  return new TextDecoder().decode(Buffer.from(text).subarray(0, maxBytes), { stream: true })
}

function toTimings(report: AttemptReport, gaps: Ends<number>): Timings {
  const { durationMs, headersMs, timeToFirstContentMs, idleMs } = report
  return {
    durationMs: rounded(durationMs),
    ...(headersMs !== undefined && { headersMs: rounded(headersMs) }),
    ...(timeToFirstContentMs !== undefined && { timeToFirstContentMs: rounded(timeToFirstContentMs) }),
    idleMs: rounded(idleMs),
    gapsMs: [...gaps.head, ...gaps.tail].map(rounded),
    gapsOmitted: gaps.omitted,
  }
}

function rounded(milliseconds: number): number {
  return Math.round(milliseconds * 10) / 10
}
