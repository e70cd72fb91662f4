/** The forms in which a secret turns up in text: as it is, escaped, encoded, or inside a longer base64 or hex text. */

/** Shorter secrets would shred ordinary text. */
export const MIN_SECRET_CHARS = 6
const MIN_BASE64_CHARS = 8

/**
 * Every form of every secret that is long enough, longest first, so that a form inside another does not win:
 * raw, JSON-escaped (once and twice), URL-encoded, HTML-escaped, base64 and base64url in three alignments, hex.
 */
export function formsOfSecrets(secrets: readonly string[]): readonly string[] {
  const long = secrets.filter((secret) => secret.length >= MIN_SECRET_CHARS)
  return [...new Set(long.flatMap(formsOf))].sort((a, b) => b.length - a.length)
}

function formsOf(secret: string): readonly string[] {
  const json = JSON.stringify(secret).slice(1, -1)
  const slashed = json.replaceAll('/', '\\/')
  const url = urlEncoded(secret)
  const hex = Buffer.from(secret).toString('hex')
  return [
    secret,
    json,
    slashed,
    JSON.stringify(json).slice(1, -1),
    JSON.stringify(slashed).slice(1, -1),
    url,
    url.replace(/%[0-9A-F]{2}/g, (code) => code.toLowerCase()),
    url.replaceAll('%20', '+'),
    urlEncoded(url),
    htmlEscaped(secret),
    hex,
    hex.toUpperCase(),
    ...base64Forms(secret),
  ]
}

/** A lone half of a surrogate pair cannot be URL-encoded: then there is no such form. */
function urlEncoded(text: string): string {
  return text.isWellFormed() ? encodeURIComponent(text) : text
}

function htmlEscaped(text: string): string {
  const entities: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' }
  return text.replace(/[&<>"]/g, (char) => entities[char] ?? char)
}

/** The part of a base64 text that the secret alone decides, for each of its three alignments in a longer text. */
function base64Forms(secret: string): readonly string[] {
  return [0, 1, 2].flatMap((offset) => {
    const bytes = Buffer.concat([Buffer.alloc(offset), Buffer.from(secret)])
    const certain = [Math.ceil((offset * 8) / 6), Math.floor((bytes.length * 8) / 6)] as const
    const forms = [bytes.toString('base64'), bytes.toString('base64url')]
    return forms.map((form) => form.slice(...certain)).filter((form) => form.length >= MIN_BASE64_CHARS)
  })
}
