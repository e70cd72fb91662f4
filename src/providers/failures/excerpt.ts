/** What of an upstream's own words may stand in an error. */

import type { Redactor } from '../../telemetry/redaction.ts'

export type ExcerptOptions = {
  /** The key of this attempt, which the redactor may not know yet. */
  readonly secrets: readonly string[]
  readonly redactor: Redactor
  /** What we sent; words of it are not repeated, since some upstreams quote the prompt in their errors. */
  readonly sent: string
}

const MAX_CHARS = 200
/** An echo this long is a quotation; shorter ones are field and model names. */
const ECHO_CHARS = 24

/** `text` in one short line without markup, keys and prompt; empty if nothing fit to show is left. */
export function excerptOf(text: string, { secrets, redactor, sent }: ExcerptOptions): string {
  if (/<\s*(!doctype|html|head|body|script|style|title|div|p|center|h\d)\b/i.test(text)) return ''
  const redacted = secrets.reduce(
    (rest, secret) => (secret === '' ? rest : rest.replaceAll(secret, '[key]')),
    redactor.text(text),
  )
  const line = redacted
    .replace(/\b(sk|pk|gsk|xai|rk|key)[-_][\w*-]{8,}/gi, '[key]')
    .replace(/[\p{Cc}\s]+/gu, ' ')
    .trim()
  const short = line.length > MAX_CHARS ? `${line.slice(0, MAX_CHARS - 1)}…` : line
  return quotes(short, sent) ? '' : short
}

function quotes(text: string, sent: string): boolean {
  for (let at = 0; at + ECHO_CHARS <= text.length; at++) {
    if (sent.includes(text.slice(at, at + ECHO_CHARS))) return true
  }
  return false
}
