/** What of an upstream's own words may stand in an error message. */

export type ExcerptOptions = {
  /** Values that must not appear: API keys. */
  readonly secrets: readonly string[]
  /** What we sent; words of it are not repeated, since some upstreams quote the prompt in their errors. */
  readonly sent: string
}

const MAX_CHARS = 200
/** An echo this long is a quotation; shorter ones are field and model names. */
const ECHO_CHARS = 24

/** `text` in one short line without markup, keys and prompt; empty if nothing fit to show is left. */
export function excerptOf(text: string, { secrets, sent }: ExcerptOptions): string {
  if (/<\s*(!doctype|html|head|body|script|style|title|div|p|center|h\d)\b/i.test(text)) return ''
  const redacted = secrets.reduce(
    (rest, secret) => (secret === '' ? rest : rest.replaceAll(secret, '[key]')),
    text,
  )
  const line = redacted
    .replace(/\b(sk|pk|gsk|xai|rk|key)[-_][\w*-]{8,}/gi, '[key]')
    .replace(/\bBearer\s+\S+/gi, '[key]')
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
