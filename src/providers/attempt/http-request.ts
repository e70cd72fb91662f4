/** The request of one attempt in the words of its protocol and of HTTP. */

import { type TurnkeeperError, toTurnkeeperError } from '../../errors.ts'
import type { ExcerptOptions } from '../failures/excerpt.ts'
import type { HttpRequest } from '../http.ts'
import type { ModelRequest } from '../types.ts'
import type { AttemptOptions } from '../upstream.ts'
import type { Target } from './target.ts'

export type BuiltRequest = {
  readonly http: HttpRequest
  /** What must not be quoted from its answer. */
  readonly excerpt: ExcerptOptions
}

/** The request in the wire format of the target, or why it cannot be said there. */
export function buildHttpRequest(
  target: Target,
  request: ModelRequest,
  options: AttemptOptions,
): BuiltRequest | TurnkeeperError {
  try {
    return toHttpRequest(target, request, options)
  } catch (thrown) {
    return toTurnkeeperError(thrown)
  }
}

function toHttpRequest(target: Target, request: ModelRequest, options: AttemptOptions): BuiltRequest {
  const { protocol, dialect, model, url, headers, redactor } = target
  const { apiKey = target.apiKey, stream = target.stream } = options
  const body = JSON.stringify(
    protocol.buildRequest(request, { model, stream, dialect, endpoint: url.pathname }),
  )
  return {
    http: {
      url,
      headers: {
        accept: stream ? ACCEPT_EVENTS : ACCEPT_JSON,
        'accept-encoding': 'identity',
        'content-type': 'application/json; charset=utf-8',
        'user-agent': 'turnkeeper',
        ...protocol.headers,
        ...(apiKey !== undefined && protocol.authHeaders(apiKey, dialect)),
        ...headers,
      },
      body,
    },
    excerpt: { secrets: apiKey === undefined ? [] : [apiKey], redactor, sent: body },
  }
}

const ACCEPT_EVENTS = 'text/event-stream; charset=utf-8'
const ACCEPT_JSON = 'application/json; charset=utf-8'
