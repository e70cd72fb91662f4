/** From any error to what an HTTP client is told. */

import { type Category, type Reason, TurnkeeperError, toTurnkeeperError } from '../errors.ts'

export type ErrorResponse = {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: { readonly error: object }
  /** True where the client did nothing wrong and somebody should look. */
  readonly isOurFault: boolean
}

const STATUS_BY_CATEGORY: Readonly<Record<Category, number>> = {
  auth: 401,
  rate_limit: 429,
  not_found: 404,
  bad_request: 400,
  server: 502,
  network: 502,
  unknown: 500,
  config: 500,
  queue: 503,
  tool: 500,
  turn: 500,
}

/** Where the category alone would mislead. */
const STATUS_BY_REASON: Readonly<Partial<Record<Reason, number>>> = {
  forbidden: 403,
  too_large: 413,
  unknown_turn: 404,
  unknown_agent: 404,
  invalid_input: 400,
  idempotency_conflict: 409,
  not_waiting: 409,
  not_failed: 409,
  overloaded_queue: 429,
  redis_unavailable: 503,
  result_timeout: 504,
  deadline: 504,
}

/** What a client waits before it repeats a call, where the error does not say. */
const RETRY_AFTER_MS = 1_000

/** The answer to a failed request: our own error form, without stack, cause or content. */
export function errorToResponse(error: unknown): ErrorResponse {
  const known = toTurnkeeperError(fromFramework(error) ?? error)
  const status = statusOf(known)
  const mayRepeat = status === 429 || status === 503
  const waitMs = known.retryAfterMs ?? RETRY_AFTER_MS
  return {
    status,
    headers: mayRepeat ? { 'retry-after': String(Math.ceil(waitMs / 1_000)) } : {},
    // "another route" is no use to a client of ours: only what it may send again as it is counts as retryable
    body: { error: { ...known.toJSON(), retryable: known.retryable && status >= 429 } },
    isOurFault: status >= 500,
  }
}

function statusOf({ status, category, reason }: TurnkeeperError): number {
  if (category === 'bad_request' && status !== undefined) return status
  return STATUS_BY_REASON[reason] ?? STATUS_BY_CATEGORY[category]
}

/** The framework's complaints about a request: https://fastify.dev/docs/latest/Reference/Errors/. */
function fromFramework(error: unknown): TurnkeeperError | undefined {
  if (error instanceof TurnkeeperError || !(error instanceof Error)) return undefined
  const status = 'statusCode' in error ? Number(error.statusCode) : 500
  if (!(status >= 400 && status < 500)) return undefined
  switch ('code' in error ? error.code : undefined) {
    case 'FST_ERR_CTP_BODY_TOO_LARGE':
      return new TurnkeeperError('too_large', 'the body is larger than 2 MiB', { status })
    case 'FST_ERR_CTP_INVALID_MEDIA_TYPE':
      return new TurnkeeperError('invalid_request', 'expected Content-Type: application/json', { status })
    case 'FST_ERR_CTP_EMPTY_JSON_BODY':
      return new TurnkeeperError('invalid_request', 'expected a JSON object, got an empty body', { status })
    case 'FST_ERR_CTP_INVALID_JSON_BODY':
      return new TurnkeeperError('invalid_request', 'the body is not valid JSON', { status })
    default:
      return new TurnkeeperError('invalid_request', 'the request cannot be understood', { status })
  }
}
