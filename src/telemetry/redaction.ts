/**
 * Keeps secrets out of logs, spans, records and errors, twice over: by structure (the names of fields, headers and
 * parameters that hold one) and by value (the configured keys in whatever form they turn up). What an unknown error
 * says is left out, since it may quote a prompt or a page.
 *
 * R1. Text is redacted before it is cut, and a secret that an earlier cut has split is masked at that edge.
 * R2. Every pattern is linear: a hostile text costs no more than a long one.
 */

import { TurnkeeperError } from '../errors.ts'
import { formsOfSecrets, MIN_SECRET_CHARS } from './secret-forms.ts'

export type Redactor = {
  /** The text with every known secret, and what looks like one, masked. */
  text(text: string, edges?: TextEdges): string
  /** A plain copy fit for JSON: secret fields masked, errors reduced to what is ours, depth and size bounded. */
  fields(value: unknown): unknown
  /** True for the name of a field, header or parameter that holds a secret. */
  isSecretName(name: string): boolean
}

/** What gave a secret away: its own value, the form of a key, the name before it, the name of its field, a cut edge. */
export const REDACTED_FIELDS = [
  'known_secret',
  'key_form',
  'named_value',
  'secret_field',
  'cut_edge',
] as const
export type RedactedField = (typeof REDACTED_FIELDS)[number]

export type RedactorOptions = {
  /** Told of each masking; never of what was masked. */
  readonly onRedacted?: (field: RedactedField) => void
}

/** Where a text is a piece of a longer one: at such an edge it may begin or end in the middle of a secret. */
export type TextEdges = { readonly cutStart?: boolean; readonly cutEnd?: boolean }

export const MASK = '[redacted]'
const MAX_DEPTH = 8
const MAX_ITEMS = 100
const MAX_TEXT_CHARS = 4096

const SECRET_FIELD =
  /^(?:x-)?(?:api[-_]?key|key|(?:proxy-)?authorization|(?:set-)?cookie2?|password|passwd|secret|client[-_]?secret|(?:access|refresh|bearer|auth|alert|id|session|csrf)?[-_]?token|credentials?|sig|signature|x-amz-(?:signature|credential|security-token)|(?:[a-z]+-)*(?:api-key|auth-token|security-token|access-token|secret))$/i

/** Keys that nobody told us of, by the form of the vendors' keys and of the header that carries them. */
const LOOKS_SECRET =
  /\b(?:sk|pk|rk|xai|gsk)[-_][A-Za-z0-9_-]{16,}|\b(Bearer|Basic)\s+[A-Za-z0-9._~+/-]{8,}=*/g

/** `"api_key": "…"`, `password=…`: a name that holds a secret, and its value. A bare `token` is a word of models. */
const NAMED_SECRET =
  /\b((?:x-)?api[-_]?key|(?<=[?&])(?:key|token|sig)|client[-_]?secret|(?:access|refresh|auth|session)[-_]?token|password|passwd|x-amz-signature)(\\?["']?\s{0,4}[:=]\s{0,4}\\?["']?)([^\s"'\\&<>,;]{6,})/gi

/** The beginning of a key at the end of a cut text, or the rest of one at its start. */
const CUT_KEY = /\b(?:sk|pk|rk|xai|gsk)[-_][A-Za-z0-9_-]*$/
const CUT_CHARS = 512
const CUT_REST = /^[A-Za-z0-9_-]{12,}/

/** A redactor that knows these secrets; they are kept in memory only as forms and a pattern. */
export function createRedactor(
  secrets: readonly string[] = [],
  { onRedacted = () => {} }: RedactorOptions = {},
): Redactor {
  const masking = (field: RedactedField): string => {
    onRedacted(field)
    return MASK
  }
  const forms = formsOfSecrets(secrets)
  const known = forms.length === 0 ? undefined : new RegExp(forms.map(escapePattern).join('|'), 'g')
  // Most texts hold nothing to mask, and one look at them is cheaper than three.
  const patterns = [LOOKS_SECRET, NAMED_SECRET, ...(known ? [known] : [])]
  const anything = new RegExp(patterns.map(({ source }) => source).join('|'), 'i')
  const text = (value: string, { cutStart = false, cutEnd = false }: TextEdges = {}): string => {
    if (!cutStart && !cutEnd && !anything.test(value)) return value
    const masked = known === undefined ? value : value.replace(known, () => masking('known_secret'))
    const start = cutStart ? maskStart(masked, forms) : masked
    const edged = cutEnd ? maskEnd(start, forms) : start
    if (edged !== masked) onRedacted('cut_edge')
    return edged
      .replace(LOOKS_SECRET, (_match, scheme?: string) =>
        scheme ? `${scheme} ${masking('key_form')}` : masking('key_form'),
      )
      .replace(
        NAMED_SECRET,
        // what another rule has masked is not counted again
        (match, name: string, between: string, value: string) =>
          value === MASK ? match : `${name}${between}${masking('named_value')}`,
      )
  }
  return {
    text,
    fields: (value) => copyFields(value, 0, () => masking('secret_field')),
    isSecretName: (name) => SECRET_FIELD.test(name),
  }
}

/** Masks what may be the beginning of a secret whose rest was cut off. */
function maskEnd(text: string, forms: readonly string[]): string {
  let longest = 0
  for (const form of forms) {
    const most = Math.min(form.length - 1, text.length)
    for (let size = most; size >= Math.max(longest + 1, MIN_SECRET_CHARS); size--) {
      if (text.endsWith(form.slice(0, size))) longest = size
    }
  }
  if (longest > 0) return text.slice(0, -longest) + MASK
  const tail = text.slice(-CUT_CHARS)
  return text.slice(0, -CUT_CHARS) + tail.replace(CUT_KEY, MASK)
}

/** Masks what may be the rest of a secret whose beginning was cut off. */
function maskStart(text: string, forms: readonly string[]): string {
  let longest = 0
  for (const form of forms) {
    const most = Math.min(form.length - 1, text.length)
    for (let size = most; size >= Math.max(longest + 1, MIN_SECRET_CHARS); size--) {
      if (text.startsWith(form.slice(-size))) longest = size
    }
  }
  if (longest > 0) return MASK + text.slice(longest)
  return text.replace(CUT_REST, MASK)
}

function copyFields(value: unknown, depth: number, mask: () => string): unknown {
  if (typeof value === 'string') return shortened(value)
  if (typeof value === 'bigint') return String(value)
  if (typeof value !== 'object' || value === null) return value
  if (depth >= MAX_DEPTH) return '[too deep]'
  if (value instanceof Error) return errorFields(value, depth, mask)
  if (ArrayBuffer.isView(value)) return `[${value.byteLength} bytes]`
  if (Array.isArray(value)) return value.slice(0, MAX_ITEMS).map((item) => copyFields(item, depth + 1, mask))
  if ('toJSON' in value && typeof value.toJSON === 'function')
    return copyFields(value.toJSON(), depth + 1, mask)
  const copy: Record<string, unknown> = {}
  let count = 0
  for (const key of Object.keys(value)) {
    if (count++ === MAX_ITEMS) break
    const item = (value as Record<string, unknown>)[key]
    copy[key] = holdsText(item) && SECRET_FIELD.test(key) ? mask() : copyFields(item, depth + 1, mask)
  }
  return copy
}

function holdsText(value: unknown): boolean {
  return typeof value === 'string' || (typeof value === 'object' && value !== null)
}

/** Our own errors in full; of the system's the message too, since Node wrote it; of others the name and the place. */
function errorFields(error: Error, depth: number, mask: () => string): unknown {
  const cause = error.cause === undefined ? {} : { cause: copyFields(error.cause, depth + 1, mask) }
  if (error instanceof TurnkeeperError) return { ...error.toJSON(), ...cause }
  const isSystem = 'syscall' in error
  return {
    name: error.name,
    ...('code' in error && { code: String(error.code) }),
    ...(isSystem && { message: error.message }),
    at: stackFrames(error),
    ...cause,
  }
}

function stackFrames({ stack = '' }: Error): readonly string[] {
  const frames = stack.split('\n').filter((line) => /^\s+at /.test(line))
  return frames.slice(0, 8).map((line) => line.trim().slice('at '.length))
}

function shortened(text: string): string {
  return text.length <= MAX_TEXT_CHARS
    ? text
    : `${text.slice(0, MAX_TEXT_CHARS)}… (${text.length} characters)`
}

function escapePattern(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|/-]/g, '\\$&')
}
