/**
 * One route as the routing layer sees it: a function that makes one physical request.
 *
 * An upstream holds no policy: it does not retry, reroute or count. It turns a request into parts and a report,
 * and says in the report everything that a policy, a breaker or a record may want to know.
 *
 * Invariants of `attempt`:
 * U1. It never throws and never rejects for what an upstream did: `report.error` says it.
 * U2. `start` is emitted directly before the first other part, so nothing is emitted before the commit point
 *     of an attempt that fails earlier.
 * U3. A successful attempt emits `finish` last. A failed one emits neither `finish` nor `error`: whoever decides
 *     that nothing else will be tried emits the `error` part.
 */

import type { AttemptSummary, TurnkeeperError } from '../errors.ts'
import type { Evidence } from './recorder/evidence.ts'
import type { ModelRequest, PartSink, Usage } from './types.ts'

/** What a body turned out to be, whatever its label said. */
export type ContentKind = 'json' | 'sse' | 'ndjson' | 'html' | 'binary' | 'empty' | 'other'

/** How far an attempt came. `after_content` is past the commit point: parts have been handed on. */
export type AttemptPhase = 'before_headers' | 'before_content' | 'after_content'

/** The evidence of one attempt. All times in milliseconds. */
export type AttemptReport = {
  readonly route: string
  readonly outcome: AttemptSummary['outcome']
  /** Set unless `outcome` is `ok`; its `partial` is the `Answer` so far. */
  readonly error?: TurnkeeperError
  readonly phase: AttemptPhase
  /** Whether an event stream was asked for. */
  readonly streamed: boolean
  readonly status?: number
  readonly contentKind?: ContentKind
  /** The upstream's own id of the request, from its response headers. */
  readonly requestId?: string
  readonly responseHeaders?: ResponseHeaders
  /** Of a failed attempt: the first bytes of the body (content encoding undone), at most 2 KB. May hold content. */
  readonly excerpt?: Uint8Array
  /** Of a failed local process: the end of its standard error, at most 64 KB. May hold content. */
  readonly stderr?: Uint8Array
  /** Parameters that were left out, as the provider's configuration allows. */
  readonly notSent?: readonly string[]
  /** Nothing was sent, since the protocol of the route has no words for this of the request. */
  readonly untranslatable?: Untranslatable
  readonly usage: Usage | null
  readonly durationMs: number
  /** From the start of the attempt to the response headers. */
  readonly headersMs?: number
  /** From the start of the attempt to its first content part. */
  readonly timeToFirstContentMs?: number
  /** The longest silence on the wire after the headers; for a stall, the silence that ended it. */
  readonly idleMs: number
  /** The exchange itself, by reference, for the recorder; absent where none is kept. */
  readonly evidence?: Evidence
  /** Of the record that the recorder made of it. */
  readonly recordId?: string
}

/** Names of parameters, or sentences of ours about a kind of content; never a value. */
export type Untranslatable = readonly string[]

/** Why a request cannot be put into the wire format of a route. */
export type TranslationError = { readonly error: TurnkeeperError; readonly what: Untranslatable }

/** Names in lower case. */
export type ResponseHeaders = Readonly<Record<string, string | readonly string[] | undefined>>

export type AttemptOptions = {
  /** Cancels the attempt: `outcome` is then `cancelled`, with the error `turn/cancelled`. */
  readonly signal?: AbortSignal
  /** Credential of this attempt, instead of the upstream's own. */
  readonly apiKey?: string
  /** Whether to ask for an event stream, instead of the upstream's own setting. */
  readonly stream?: boolean
  /** Called with the raw bytes of the body as they arrive (content encoding undone); must not throw or keep them. */
  readonly onBytes?: (chunk: Uint8Array) => void
}

/** One route, one call a physical request. */
export type Upstream = {
  /** `provider/model`. */
  readonly route: string
  attempt(request: ModelRequest, emit: PartSink, options?: AttemptOptions): Promise<AttemptReport>
  /** Why the request would be refused here before anything is sent; undefined where nothing is wrong with it. */
  refusal?(request: ModelRequest): TranslationError | undefined
}

/** The short form of a report that errors, results and spans keep. */
export function reportToSummary(report: AttemptReport): AttemptSummary {
  const { route, outcome, durationMs, error, status, requestId, recordId, streamed, notSent = [] } = report
  return {
    route,
    outcome,
    durationMs: Math.round(durationMs),
    ...(error && { code: error.code, message: error.message }),
    ...(status !== undefined && { status }),
    ...(requestId !== undefined && { requestId }),
    ...(recordId !== undefined && { recordId }),
    streamed,
    ...(notSent.length > 0 && { notSent }),
  }
}
