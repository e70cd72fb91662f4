/** Headers and URLs as they may stand in a record: complete, but for what is secret. */

import { MASK, type Redactor } from '../../telemetry/redaction.ts'
import type { ResponseHeaders } from '../upstream.ts'
import type { Headers } from './record.ts'

/** Headers whose value is a URL, or begins with one. */
const URL_HEADERS = new Set(['location', 'content-location', 'refresh', 'link', 'referer'])

/** Every header, in order; values of secret ones masked. */
export function sanitizeHeaders(headers: ResponseHeaders, redactor: Redactor): Headers {
  const clean = (name: string, value: string): string => {
    if (redactor.isSecretName(name)) return MASK
    return redactor.text(URL_HEADERS.has(name) ? maskParameters(value, redactor) : value)
  }
  return Object.fromEntries(
    Object.entries(headers).flatMap(([name, value]) => {
      if (value === undefined) return []
      const known = name.toLowerCase()
      return [[name, typeof value === 'string' ? clean(known, value) : value.map((v) => clean(known, v))]]
    }),
  )
}

/** A URL without user and password, with the values of secret parameters masked. */
export function sanitizeUrl(url: URL, redactor: Redactor): string {
  const { protocol, host, pathname, search } = url
  return redactor.text(maskParameters(`${protocol}//${host}${pathname}${search}`, redactor))
}

/** Works on text, since a header may hold several URLs, relative ones or none. */
function maskParameters(text: string, redactor: Redactor): string {
  return text
    .replace(/(\/\/)[^/?#@\s]{1,512}@/g, (whole) =>
      redactor.isSecretName('password') ? `//${MASK}@` : whole,
    )
    .replace(/([?&;])([^=&#;\s]{1,128})=([^&#;\s>]*)/g, (whole, mark: string, name: string) =>
      redactor.isSecretName(decoded(name)) ? `${mark}${name}=${MASK}` : whole,
    )
}

function decoded(name: string): string {
  try {
    return decodeURIComponent(name)
  } catch {
    return name
  }
}
