/**
 * The scalar fields of the configuration. The `error` of a field says what is expected there, in words that fit
 * after "expected": `problems.ts` puts the path before it and what came behind it.
 */

import * as z from 'zod'
import { parseDuration } from '../duration.ts'
import { Secret } from '../secret.ts'

/** A duration such as `30s`, given on in milliseconds. */
export const duration = z.unknown().transform((value, context) => {
  const durationMs = typeof value === 'string' ? parseDuration(value) : undefined
  if (durationMs !== undefined) return durationMs
  context.addIssue({ code: 'custom', message: 'a duration such as 250ms, 30s, 10m, 2h or 7d (24d at most)' })
  return z.NEVER
})

/** A whole number; as text too, since that is what a replaced variable gives. */
export const whole = (min: number, max = Number.MAX_SAFE_INTEGER) => {
  const error =
    max === Number.MAX_SAFE_INTEGER ? `a whole number from ${min} up` : `a whole number from ${min} to ${max}`
  return z.preprocess(numberFromText, z.int({ error }).min(min, { error }).max(max, { error }))
}

const SHARE = 'a number from 0 to 1'

/** A share from 0 to 1. */
export const share = z.preprocess(
  numberFromText,
  z.number({ error: SHARE }).min(0, { error: SHARE }).max(1, { error: SHARE }),
)

const USD = 'an amount in US dollars, from 0 up'

/** An amount of US dollars. */
export const usd = z.preprocess(numberFromText, z.number({ error: USD }).min(0, { error: USD }))

/** true or false; as text too. */
export const flag = z.preprocess(
  (value) => (value === 'true' ? true : value === 'false' ? false : value),
  z.boolean({ error: 'true or false' }),
)

/** One word of a list. */
export const oneOf = <const Words extends readonly [string, ...string[]]>(...words: Words) =>
  z.enum(words, { error: words.length === 1 ? `${words[0]} (the only one for now)` : words.join(', ') })

/** A string that is not empty. */
export const text = (error: string) => z.string({ error }).min(1, { error })

/** Text where the empty string means "not set", as `${NAME:-}` gives it. */
export const optionalText = z
  .string({ error: 'text' })
  .nullish()
  .transform((value) => (value === null || value === '' ? undefined : value))

/** A secret that travels in a header; the empty string means "not set". */
export const optionalSecret = optionalText
  .refine((value) => value === undefined || /^[\x21-\x7e]{16,}$/.test(value), {
    error: 'at least 16 characters without spaces or line breaks, or nothing',
  })
  .transform((value) => (value === undefined ? undefined : new Secret(value)))

/** Names that become parts of keys, labels and paths. */
export const NAME = /^[A-Za-z0-9][A-Za-z0-9_.-]*$/
export const NAME_RULE = 'a name of letters, digits, dot, dash and underscore'

/** A short name without a slash, a colon or a space. */
export const name = z
  .string({ error: NAME_RULE })
  .regex(NAME, { error: NAME_RULE })
  .max(64, { error: NAME_RULE })

/** An http or https URL without user, query or fragment; a slash at the end is dropped. */
export const httpUrl = z
  .string({ error: 'an http or https URL' })
  .refine(isPlainHttpUrl, { error: 'an http or https URL without user, password, query or fragment' })
  .transform((value) => value.replace(/\/+$/, ''))

/** True for an address that only this machine reaches. */
export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127(?:\.\d{1,3}){3}$/.test(host)
}

function isPlainHttpUrl(value: string): boolean {
  const url = URL.parse(value)
  if (url === null || !/^https?:$/.test(url.protocol)) return false
  return url.username === '' && url.password === '' && !value.includes('?') && !value.includes('#')
}

function numberFromText(value: unknown): unknown {
  return typeof value === 'string' && /^\d+(?:\.\d+)?$/.test(value) ? Number(value) : value
}
