import type { AttemptReport } from '../upstream.ts'

/** The outcome of an attempt as metrics and spans name it: a closed set. */
export type Outcome =
  | 'ok'
  | 'html'
  | 'stall'
  | 'timeout'
  | 'http_429'
  | 'http_5xx'
  | 'auth'
  | 'network'
  | 'invalid_response'
  | 'client_error'
  | 'cancelled'

/** Outcomes after which another attempt may be made. */
export const FAILURES = [
  'html',
  'stall',
  'timeout',
  'http_429',
  'http_5xx',
  'auth',
  'network',
  'invalid_response',
  'client_error',
] as const satisfies readonly Outcome[]

export const OUTCOMES = ['ok', ...FAILURES, 'cancelled'] as const satisfies readonly Outcome[]

/** The one word for what became of an attempt. */
export function reportToOutcome({ outcome, error, status }: AttemptReport): Outcome {
  if (outcome === 'cancelled') return 'cancelled'
  if (outcome === 'ok' || error === undefined) return 'ok'
  switch (error.reason) {
    case 'html_payload':
      return 'html'
    case 'stall':
      return 'stall'
    case 'timeout_connect':
    case 'timeout_headers':
    case 'timeout_first_content':
    case 'timeout_total':
      return 'timeout'
    case 'server_error':
    case 'overloaded':
    case 'loading':
      return 'http_5xx'
  }
  switch (error.category) {
    case 'rate_limit':
      return 'http_429'
    case 'auth':
      return 'auth'
    case 'network':
      return 'network'
    case 'bad_request':
    case 'not_found':
      return 'client_error'
    case 'server':
      return 'invalid_response'
    default:
      return statusToOutcome(status)
  }
}

function statusToOutcome(status: number | undefined): Outcome {
  if (status === undefined) return 'network'
  if (status >= 500) return 'http_5xx'
  return status >= 400 ? 'client_error' : 'invalid_response'
}
