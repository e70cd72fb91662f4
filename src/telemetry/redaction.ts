/**
 * Keeps secrets out of logs and spans, twice over: by structure (the names of fields that hold one) and by value
 * (the configured keys in whatever form they turn up). What an unknown error says is left out, since it may quote
 * a prompt or a page.
 */

import { TurnkeeperError } from '../errors.ts'

export type Redactor = {
  /** The text with every known secret, and what looks like one, masked. */
  text(text: string): string
  /** A plain copy fit for JSON: secret fields masked, errors reduced to what is ours, depth and size bounded. */
  fields(value: unknown): unknown
}

const MASK = '[redacted]'
/** Shorter secrets would shred ordinary text. */
const MIN_SECRET_CHARS = 6
const MIN_BASE64_CHARS = 8
const MAX_DEPTH = 8
const MAX_ITEMS = 100
const MAX_TEXT_CHARS = 4096

const SECRET_FIELD =
  /^(?:x-)?(?:api[-_]?key|key|(?:proxy-)?authorization|(?:set-)?cookie|password|passwd|secret|client[-_]?secret|(?:access|refresh|bearer|auth|alert)?[-_]?token|credentials?)$/i

/** Keys that nobody told us of, by the form of the vendors' keys and of the header that carries them. */
const LOOKS_SECRET =
  /\b(?:sk|pk|rk|xai|gsk)[-_][A-Za-z0-9_-]{16,}|\b(Bearer|Basic)\s+[A-Za-z0-9._~+/-]{8,}=*/g

/** A redactor that knows these secrets; they are kept in memory only as a pattern. */
export function createRedactor(secrets: readonly string[] = []): Redactor {
  const known = secretPattern(secrets)
  const text = (value: string): string => {
    const masked = known === undefined ? value : value.replace(known, MASK)
    return masked.replace(LOOKS_SECRET, (_match, scheme?: string) => (scheme ? `${scheme} ${MASK}` : MASK))
  }
  return { text, fields: (value) => copyFields(value, 0) }
}

function copyFields(value: unknown, depth: number): unknown {
  if (typeof value === 'string') return shortened(value)
  if (typeof value === 'bigint') return String(value)
  if (typeof value !== 'object' || value === null) return value
  if (depth >= MAX_DEPTH) return '[too deep]'
  if (value instanceof Error) return errorFields(value, depth)
  if (ArrayBuffer.isView(value)) return `[${value.byteLength} bytes]`
  if (Array.isArray(value)) return value.slice(0, MAX_ITEMS).map((item) => copyFields(item, depth + 1))
  if ('toJSON' in value && typeof value.toJSON === 'function') return copyFields(value.toJSON(), depth + 1)
  return Object.fromEntries(
    Object.entries(value)
      .slice(0, MAX_ITEMS)
      .map(([key, item]) => [
        key,
        SECRET_FIELD.test(key) && holdsText(item) ? MASK : copyFields(item, depth + 1),
      ]),
  )
}

function holdsText(value: unknown): boolean {
  return typeof value === 'string' || (typeof value === 'object' && value !== null)
}

/** Our own errors in full; of the system's the message too, since Node wrote it; of others the name and the place. */
function errorFields(error: Error, depth: number): unknown {
  const cause = error.cause === undefined ? {} : { cause: copyFields(error.cause, depth + 1) }
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

/** One pattern for all forms of all secrets, longest first, so that a form inside another does not win. */
function secretPattern(secrets: readonly string[]): RegExp | undefined {
  const forms = new Set(secrets.filter((secret) => secret.length >= MIN_SECRET_CHARS).flatMap(formsOf))
  if (forms.size === 0) return undefined
  const longestFirst = [...forms].sort((a, b) => b.length - a.length)
  return new RegExp(longestFirst.map(escapePattern).join('|'), 'g')
}

function formsOf(secret: string): readonly string[] {
  const json = JSON.stringify(secret).slice(1, -1)
  return [secret, json, JSON.stringify(json).slice(1, -1), encodeURIComponent(secret), ...base64Forms(secret)]
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

function escapePattern(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|/-]/g, '\\$&')
}
