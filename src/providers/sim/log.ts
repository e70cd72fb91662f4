/** What was asked of the simulated upstream: everything but content and keys. */

import type { IncomingHttpHeaders } from 'node:http'

/** One request. `at` and `endedAt` are milliseconds since the epoch; `endedAt` is null while it is open. */
export type LoggedRequest = {
  readonly at: number
  readonly endedAt: number | null
  readonly requestId: string
  readonly path: string
  readonly protocol: string
  readonly model: string | null
  readonly stream: boolean
  /** The fault that it was served, as it was written. */
  readonly fault: string | null
  readonly status: number | null
  /** Bytes of the body that were written. */
  readonly bytes: number
  /** The client left before the answer was over. */
  readonly aborted: boolean
  /** As they came, without `authorization`, `x-api-key` and `cookie`. */
  readonly headers: IncomingHttpHeaders
}

export type RequestLog = {
  /** Adds a request and returns how to write on what becomes of it. */
  open(request: LoggedRequest): (change: Partial<LoggedRequest>) => void
  entries(): readonly LoggedRequest[]
}

/** The newest are kept. */
const MOST_ENTRIES = 10_000

export function createLog(): RequestLog {
  const kept: { request: LoggedRequest }[] = []
  return {
    open(request) {
      const entry = { request }
      kept.push(entry)
      if (kept.length > MOST_ENTRIES) kept.shift()
      return (change) => {
        entry.request = { ...entry.request, ...change }
      }
    },
    entries: () => kept.map((entry) => entry.request),
  }
}

/** The headers without what may be a secret. */
export function withoutSecrets(headers: IncomingHttpHeaders): IncomingHttpHeaders {
  const { authorization: _authorization, cookie: _cookie, 'x-api-key': _key, ...rest } = headers
  return rest
}
