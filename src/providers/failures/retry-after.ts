/**
 * How long an upstream asks to be left alone, in milliseconds, in any of the ways in which upstreams say it.
 * Nonsense is undefined, never NaN or 0: a NaN once became a hot loop (earendil-works/pi#9571), and a number read
 * as a date once became a year (mastra-ai/mastra#23778).
 */

import { asArray, asObject, type JsonObject } from '../narrow.ts'
import type { ResponseHeaders } from '../upstream.ts'

const DAY_MS = 86_400_000
const EPOCH_SECONDS_FROM = 1e9
const EPOCH_MS_FROM = 1e12
const UNITS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: DAY_MS }

export type RetryHint = {
  readonly headers: ResponseHeaders
  /** The parsed error body, if it was JSON. */
  readonly body: unknown
  readonly status: number | undefined
  /** Epoch milliseconds. */
  readonly now: number
}

/** The wait that the response asks for, at most a day; how much of it is obeyed is the caller's policy. */
export function retryAfterOf({ headers, body, status, now }: RetryHint): number | undefined {
  const said =
    numberOf(headerOf(headers, 'retry-after-ms')) ??
    waitOf(headerOf(headers, 'retry-after'), now) ??
    bodyDelay(body) ??
    (status === 429 ? resetWait(headers, now) : undefined)
  return said === undefined ? undefined : Math.min(Math.ceil(said), DAY_MS)
}

/** A wait in milliseconds out of seconds, `6m0s`, RFC 3339, an HTTP date, or epoch seconds or milliseconds. */
export function waitOf(value: string | undefined, now: number): number | undefined {
  const text = value?.trim()
  if (text === undefined || text === '') return undefined
  const number = numberOf(text)
  if (number !== undefined) {
    if (number >= EPOCH_MS_FROM) return Math.max(0, number - now)
    if (number >= EPOCH_SECONDS_FROM) return Math.max(0, number * 1000 - now)
    return number * 1000
  }
  return goDuration(text) ?? dateWait(text, now)
}

function numberOf(text: string | undefined): number | undefined {
  return text !== undefined && /^\d+(\.\d+)?$/.test(text.trim()) ? Number(text) : undefined
}

/** `6m0s`, `17ms`, `1h2m3.5s`: as OpenAI and Groq write their resets. */
function goDuration(text: string): number | undefined {
  if (!/^(\d+(\.\d+)?(ms|s|m|h|d))+$/.test(text)) return undefined
  const pieces = [...text.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h|d)/g)]
  return pieces.reduce((sum, [, amount, unit]) => sum + Number(amount) * UNITS[unit!]!, 0)
}

/** Only what looks like a date is given to `Date.parse`, which takes `12,5` for one. */
function dateWait(text: string, now: number): number | undefined {
  if (!/^(\d{4}-\d{2}-\d{2}[T ]|[A-Z][a-z]{2,8}, )/.test(text)) return undefined
  const at = Date.parse(text)
  return Number.isNaN(at) ? undefined : Math.max(0, at - now)
}

/** Google's `RetryInfo`, and `retry_after` in seconds beside the message. */
function bodyDelay(body: unknown): number | undefined {
  const top = asObject(Array.isArray(body) ? body[0] : body)
  const error = asObject(top?.error)
  const details = asArray(error?.details).map((detail) => asObject(detail)?.retryDelay)
  const delay = details.find((value) => typeof value === 'string')
  if (typeof delay === 'string') return goDuration(delay)
  const seconds = error?.retry_after ?? top?.retry_after
  return typeof seconds === 'number' && seconds >= 0 ? seconds * 1000 : messageDelay(error)
}

/** `Please try again in 18.642s`: OpenAI and Groq put it only there for some limits. */
function messageDelay(error: JsonObject | undefined): number | undefined {
  const message = error?.message
  const found =
    typeof message === 'string' ? /try again in ((?:\d+(?:\.\d+)?(?:ms|s|m|h))+)/.exec(message) : null
  return found ? goDuration(found[1]!) : undefined
}

/**
 * The longest reset among the limits that are used up: `x-ratelimit-reset-tokens` beside
 * `x-ratelimit-remaining-tokens: 0`, `anthropic-ratelimit-requests-reset`, plain `x-ratelimit-reset`.
 */
function resetWait(headers: ResponseHeaders, now: number): number | undefined {
  const waits = Object.keys(headers)
    .filter((name) => /ratelimit/.test(name) && /reset/.test(name))
    .filter((name) => (numberOf(headerOf(headers, name.replace('reset', 'remaining'))) ?? 0) === 0)
    .map((name) => waitOf(headerOf(headers, name), now))
    .filter((wait) => wait !== undefined)
  return waits.length === 0 ? undefined : Math.max(...waits)
}

/** The value of a header, the first one if it came several times. */
export function headerOf(headers: ResponseHeaders, name: string): string | undefined {
  const value = headers[name]
  return typeof value === 'string' ? value : value?.[0]
}
