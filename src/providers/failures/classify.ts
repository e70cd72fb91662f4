/**
 * What an upstream's failure was: status, error body and headers to one of our reasons.
 *
 * C1. The body corrects the status where upstreams are known to choose the wrong one (400 for a bad key or an
 *     unknown model, 404 for a missing capability, an error inside a 200).
 * C2. Words of a message are believed only together with a status or code that makes them plausible.
 * C3. Messages are ours; an upstream's words stand apart from them, as a redacted excerpt.
 */

import { type ErrorDetails, type Reason, TurnkeeperError } from '../../errors.ts'
import type { ContentKind, ResponseHeaders } from '../upstream.ts'
import { type ErrorFacts, factsOf } from './error-facts.ts'
import { type ExcerptOptions, excerptOf } from './excerpt.ts'
import { retryAfterOf } from './retry-after.ts'

export type UpstreamFailure = {
  readonly status: number
  readonly headers: ResponseHeaders
  readonly kind: ContentKind
  /** The parsed body, or what a chunk of it reported; undefined where there is none. */
  readonly body: unknown
  /** Epoch milliseconds. */
  readonly now: number
  readonly excerpt: ExcerptOptions
}

/** The error for a response that failed by its status, or inside a 200. */
export function classifyFailure(failure: UpstreamFailure): TurnkeeperError {
  const { status, headers, kind, body, now, excerpt } = failure
  const facts = factsOf(body)
  const isInBand = status < 300
  const effective = isInBand ? facts.status : status
  const retryAfterMs = retryAfterOf({ headers, body, status: effective, now })
  const reason = reasonOf({ status: effective, facts, kind, hasRetryHint: retryAfterMs !== undefined })
  const head = isInBand
    ? `the upstream reported an error inside a ${status}`
    : `the upstream answered ${status}`
  const said = excerptOf(facts.message ?? '', excerpt)
  const details: ErrorDetails = {
    status,
    ...(retryAfterMs !== undefined && { retryAfterMs }),
    ...(said !== '' && { excerpt: said }),
  }
  return new TurnkeeperError(reason, `${head} (${reason.replaceAll('_', ' ')})`, details)
}

type Evidence = {
  readonly status: number | undefined
  readonly facts: ErrorFacts
  readonly kind: ContentKind
  readonly hasRetryHint: boolean
}

const INVALID_KEY =
  /invalid[_ ]?api[_ ]?key|incorrect api key|api[_ ]?key[_ ](not[_ ]valid|(is )?invalid)|authentication_error|invalid (authentication|credentials)|unauthenticated/
const QUOTA =
  /insufficient[_ ]?(quota|balance|credit|funds)|billing|credit balance|payment required|out of credits/
const MODEL =
  /model_not_found|model_not_available|(unknown|invalid|no such) model|not a valid model|model\b.{0,120}?(does not exist|not (be )?found|is not (available|supported for)|not exist)/
const CONTEXT =
  /context[_ ](length|size|window)|maximum context|max(imum)? prompt length|too[_ ]many[_ ](prompt[_ ])?tokens|prompt (is )?too long|(length|size) of (all )?(the )?(messages|prompt|input).{0,20}too long|input is too long|exceed_context/
const FILTER =
  /content[_ ]?filter|content management policy|content_policy|responsibleai|moderation|flagged|safety system/
const CAPABILITY =
  /no endpoints? (found )?(that )?(can |support)|does not support (tools?|tool use|function|image|vision|streaming)|tool use is not supported/
const PARAMETER =
  /unsupported_(parameter|value)|unknown_parameter|invalid_value|unsupported (parameter|value)|unrecognized (request argument|parameter)|extra_forbidden|missing_required_parameter|extra inputs are not permitted/
const OVERLOADED = /overloaded|capacity[_ ]exceeded|over capacity|at capacity/
const LOADING = /loading model|model is (currently )?loading|still loading/

function reasonOf(evidence: Evidence): Reason {
  const { status, facts, kind } = evidence
  if (status === undefined) return reasonByType(facts)
  if (status >= 500 || status === 498) return serverReason(evidence)
  if (status < 300) return payloadReason(kind)
  if (status < 400) return 'unknown'
  const words = facts.words
  switch (status) {
    case 401:
      return 'invalid_key'
    case 402:
      return 'quota_exhausted'
    case 403:
      if (QUOTA.test(words)) return 'quota_exhausted'
      return FILTER.test(words) ? 'content_filter' : 'forbidden'
    case 404:
      return CAPABILITY.test(words) ? 'capability_missing' : 'model_not_found'
    case 408:
      return 'server_error'
    case 413:
      return 'too_large'
    case 429:
      return QUOTA.test(words) && !evidence.hasRetryHint ? 'quota_exhausted' : 'rate_limited'
    case 400:
    case 422:
      return requestReason(words)
    case 405:
    case 406:
    case 411:
    case 414:
    case 415:
    case 431:
      return 'invalid_request'
    default:
      return 'unknown'
  }
}

/** 400 and 422: the status under which upstreams file nearly everything. */
function requestReason(words: string): Reason {
  if (INVALID_KEY.test(words)) return 'invalid_key'
  if (QUOTA.test(words)) return 'quota_exhausted'
  if (CONTEXT.test(words)) return 'context_length'
  if (FILTER.test(words)) return 'content_filter'
  if (CAPABILITY.test(words)) return 'capability_missing'
  if (MODEL.test(words)) return 'model_not_found'
  return PARAMETER.test(words) ? 'invalid_parameter' : 'invalid_request'
}

function serverReason({ status, facts, kind }: Evidence): Reason {
  if (kind === 'html') return 'html_payload'
  if (LOADING.test(facts.words)) return 'loading'
  if (status === 529 || status === 498 || OVERLOADED.test(facts.words)) return 'overloaded'
  return kind === 'binary' ? 'binary_payload' : 'server_error'
}

function payloadReason(kind: ContentKind): Reason {
  if (kind === 'html') return 'html_payload'
  if (kind === 'binary') return 'binary_payload'
  if (kind === 'empty') return 'empty_body'
  return kind === 'other' ? 'non_json' : 'stream_error'
}

/** An error inside a 200 that names no status: its type or code decides, its message does not. */
function reasonByType({ type, words }: ErrorFacts): Reason {
  if (/content_?filter|content management policy/.test(words)) return 'content_filter'
  if (/overloaded/.test(type)) return 'overloaded'
  if (/rate_?limit|too_many_requests|resource_exhausted/.test(type)) return 'rate_limited'
  if (/insufficient_quota|billing/.test(type)) return 'quota_exhausted'
  if (/authentication|invalid_api_key|unauthorized|unauthenticated/.test(type)) return 'invalid_key'
  if (/permission|forbidden/.test(type)) return 'forbidden'
  if (/not_?found/.test(type)) return 'model_not_found'
  if (/context_length|exceed_context/.test(type)) return 'context_length'
  if (/invalid_?request|invalid_argument|bad_?request|tool_use_failed/.test(type)) return requestReason(words)
  return 'stream_error'
}
