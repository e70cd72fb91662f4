import { asArray, asObject, asText, type JsonObject } from '../narrow.ts'

/** What an error body says, whatever its shape. */
export type ErrorFacts = {
  /** An HTTP status that the body names: 400 to 599. */
  readonly status: number | undefined
  /** Type and code, in lower case; empty if there are none. */
  readonly type: string
  /** The upstream's own words; never to be shown as they are. */
  readonly message: string | undefined
  /** Type, code and message in lower case, to be searched. */
  readonly words: string
}

/**
 * Reads the shapes in use: `{error: {message, type, code}}`, `{error: "…"}`, `{message}`, `{detail}`,
 * `{object: "error", …}`, `{code, message, type}`, a list of one of these (Google), and a string.
 */
export function factsOf(body: unknown): ErrorFacts {
  if (typeof body === 'string') return toFacts({}, body)
  const top = asObject(Array.isArray(body) ? body[0] : body)
  if (top === undefined) return toFacts({}, undefined)
  const error = asObject(top.error)
  if (error === undefined)
    return toFacts(top, messageOf(top.error) ?? messageOf(top.message) ?? messageOf(top.detail))
  return toFacts(error, messageOf(error.message) ?? messageOf(error.detail) ?? messageOf(top.message))
}

function toFacts(error: JsonObject, message: string | undefined): ErrorFacts {
  const metadata = asObject(error.metadata)
  const inner = asObject(error.innererror)
  const type = [error.type, error.code, error.status, error.param, metadata?.error_type, inner?.code]
    .filter((value) => typeof value === 'string')
    .join(' ')
    .toLowerCase()
  return {
    status: statusOf(error.code) ?? statusOf(error.status) ?? statusOf(error.status_code),
    type,
    message,
    words: `${type} ${message ?? ''}`.toLowerCase(),
  }
}

function statusOf(value: unknown): number | undefined {
  const status = typeof value === 'string' && /^\d{3}$/.test(value) ? Number(value) : value
  return typeof status === 'number' && status >= 400 && status <= 599 ? status : undefined
}

/** A message may be a string, a list of problems, or an object around one. */
function messageOf(value: unknown): string | undefined {
  if (typeof value === 'string') return asText(value)
  const object = asObject(value)
  if (object !== undefined) return messageOf(object.message ?? object.detail ?? object.msg)
  const first = asArray(value)[0]
  return first === undefined ? undefined : messageOf(first)
}
