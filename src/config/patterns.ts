/** Patterns over names of models: `*` stands for any text, slashes among it; all else for itself. */

export type Patterns = {
  /** At least one of them must fit. */
  readonly include: readonly string[]
  /** None of them may fit. */
  readonly exclude: readonly string[]
}

/** Whether `text` fits. Takes a time in proportion to both lengths at most, whatever they are. */
export function matchesPattern(pattern: string, text: string): boolean {
  const [first = '', ...others] = pattern.split('*')
  if (others.length === 0) return text === pattern
  const last = others.pop() ?? ''
  if (!text.startsWith(first) || text.length < first.length + last.length || !text.endsWith(last))
    return false
  const end = text.length - last.length
  let at = first.length
  for (const piece of others) {
    const found = text.indexOf(piece, at)
    if (found < 0 || found + piece.length > end) return false
    at = found + piece.length
  }
  return true
}

/** The pattern that keeps `text` out; undefined where it is let in. */
export function excludedBy({ include, exclude }: Patterns, text: string): string | undefined {
  const out = exclude.find((pattern) => matchesPattern(pattern, text))
  if (out !== undefined) return `exclude ${JSON.stringify(out)}`
  return include.some((pattern) => matchesPattern(pattern, text))
    ? undefined
    : `not in include ${JSON.stringify(include)}`
}
