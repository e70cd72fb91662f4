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

/** Deeper values serve no model; code that walks them would run out of stack at some thousands. */
export const MAX_JSON_DEPTH = 512

/**
 * The parsed JSON, or undefined where `text` is none, or nests deeper than `MAX_JSON_DEPTH` levels. A key like
 * `__proto__` is an own property of what `JSON.parse` returns, and stays one: values from outside are copied by
 * spread alone, never by assignment of their keys.
 */
export function parseJson(text: string): { readonly value: unknown } | undefined {
  if (isTooDeep(text)) return undefined
  try {
    return { value: JSON.parse(text) as unknown }
  } catch {
    return undefined
  }
}

/**
 * A text of so few signs, as most events are, cannot be that deep. Then counting brackets: nearly every text has too
 * few of them, and `indexOf` is fast.
 */
function isTooDeep(text: string): boolean {
  if (text.length <= MAX_JSON_DEPTH) return false
  return hasMany(text, '{') || hasMany(text, '[') ? depthOf(text) > MAX_JSON_DEPTH : false
}

function hasMany(text: string, bracket: string): boolean {
  let count = 0
  for (let at = text.indexOf(bracket); at !== -1; at = text.indexOf(bracket, at + 1)) {
    if (++count > MAX_JSON_DEPTH / 2) return true
  }
  return false
}

/** The deepest nesting outside strings; stops where it is too deep. */
function depthOf(text: string): number {
  let depth = 0
  let deepest = 0
  let isString = false
  for (let at = 0; at < text.length; at++) {
    const char = text[at]
    if (isString) {
      if (char === '\\') at++
      else if (char === '"') isString = false
    } else if (char === '"') isString = true
    else if (char === '{' || char === '[') {
      deepest = Math.max(deepest, ++depth)
      if (deepest > MAX_JSON_DEPTH) return deepest
    } else if (char === '}' || char === ']') depth--
  }
  return deepest
}
