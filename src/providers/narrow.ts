/** Narrowing of parsed JSON by hand: a schema per chunk costs as much as parsing it. */

export type JsonObject = { readonly [key: string]: unknown }

/** `value` as an object with string keys; undefined for null, arrays and everything else. */
export function asObject(value: unknown): JsonObject | undefined {
  // The checks are what the cast claims.
  return typeof value === 'object' && value !== null && !Array.isArray(value)
    ? (value as JsonObject)
    : undefined
}

/** `value` as an array; empty for everything else. */
export function asArray(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : []
}

/** `value` as a string that is not empty. */
export function asText(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined
}

/** `value` as a count: finite, not negative, null where there is none. */
export function asCount(value: unknown): number | null {
  return typeof value === 'number' && Number.isFinite(value) && value >= 0 ? value : null
}

/** The parsed JSON, or undefined where `text` is none. */
export function parseJson(text: string): { readonly value: unknown } | undefined {
  try {
    return { value: JSON.parse(text) }
  } catch {
    return undefined
  }
}
