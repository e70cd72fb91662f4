/** The record of one attempt, as it stands in Redis and, with its raw bytes, in a file. */

import type { AttemptReport } from '../upstream.ts'

export type ProviderRecord = {
  readonly id: string
  /** End of the attempt, in epoch milliseconds. */
  readonly at: number
  readonly traceId?: string
  readonly route: string
  readonly provider: string
  readonly outcome: AttemptReport['outcome']
  /** `<category>/<reason>` of the failure, and our sentence about it. */
  readonly code?: string
  readonly message?: string
  readonly phase: AttemptReport['phase']
  readonly request: RecordedRequest
  readonly response?: RecordedResponse
  readonly timings: Timings
  readonly trail: Trail
  /** Where the raw bytes are, if they could be written. */
  readonly raw?: RawLocation
  /** Why the bytes are missing though there were some. */
  readonly rawWithheld?: string
}

export type RecordedRequest = {
  readonly method: string
  /** Without user and password; secret parameters masked. */
  readonly url: string
  readonly headers: Headers
  readonly sizeBytes: number
}

export type RecordedResponse = {
  readonly status: number
  readonly headers: Headers
  /** Every id under which the vendor or an edge may know the request, by header name. */
  readonly requestIds: Readonly<Record<string, string>>
  readonly kind?: AttemptReport['contentKind']
  /** As it came over the wire. */
  readonly sizeBytes: number
  /** The beginning of the body, decoded and redacted. */
  readonly excerpt?: string
  /** Title of an HTML page. */
  readonly title?: string
  /** What the servers on the way say of themselves: `server`, `via`, Cloudflare's Ray id and the like. */
  readonly edge: Readonly<Record<string, string>>
}

export type Headers = Readonly<Record<string, string | readonly string[]>>

/** All in milliseconds. */
export type Timings = {
  readonly durationMs: number
  readonly headersMs?: number
  readonly timeToFirstContentMs?: number
  /** The longest silence. */
  readonly idleMs: number
  /** Between chunks of the body, in order; of a long answer the first and the last, with `gapsOmitted` between. */
  readonly gapsMs: readonly number[]
  readonly gapsOmitted: number
}

/** How this attempt came about. */
export type Trail = {
  /** What the caller asked for, as a label. */
  readonly alias?: string
  /** 1 for the first attempt of the call. */
  readonly attempt: number
  readonly after?: { readonly type: string; readonly from: string; readonly reason: string }
  /** Whether an event stream was asked for, and why not where it would have been. */
  readonly streamed: boolean
  readonly streamReason?: string
  readonly probe?: boolean
}

export type RawLocation = {
  readonly host: string
  readonly file: string
  /** Of the line of this record in the file. */
  readonly offset: number
  readonly lineBytes: number
}

/** The line of a record in its file: the record itself, and what is too large or too private for Redis. */
export type RecordLine = ProviderRecord & {
  /** The body as it came, base64: its beginning and, after `omittedBytes`, its end. Known secrets are masked. */
  readonly rawHead?: string
  readonly omittedBytes?: number
  readonly rawTail?: string
  /** What we sent, redacted; only with `recorder.request: failed`. */
  readonly requestBody?: string
}
