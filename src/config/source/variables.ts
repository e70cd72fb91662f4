/** `${NAME}` and `${NAME:-default}` in scalars that are already parsed, so a value can never change the structure. */

import { type Path, type Problem, pathText } from '../problems.ts'

export type Environment = Readonly<Record<string, string | undefined>>

export type Substitution = {
  readonly value: unknown
  readonly problems: readonly Problem[]
  /** Paths (as text) whose value came from the environment: never to be shown. */
  readonly replaced: ReadonlySet<string>
}

const PLACEHOLDER = /\$\{(?:([A-Za-z_][A-Za-z0-9_]*)(:-([^{}]*))?\}|)/g

/**
 * The same tree with every variable replaced. As in a shell, the default stands in for an empty variable too.
 * A variable that is not set leaves its placeholder and a problem.
 */
export function substituteVariables(raw: unknown, env: Environment): Substitution {
  const problems: Problem[] = []
  const replaced = new Set<string>()

  const visit = (value: unknown, path: Path): unknown => {
    if (typeof value === 'string') return visitText(value, path)
    if (Array.isArray(value)) return value.map((item, index) => visit(item, [...path, index]))
    if (typeof value !== 'object' || value === null) return value
    return Object.fromEntries(
      Object.entries(value).map(([key, item]) => {
        if (key === '__proto__') problems.push({ path: pathText([...path, key]), text: 'unknown key' })
        return [key, visit(item, [...path, key])]
      }),
    )
  }

  const visitText = (text: string, path: Path): string =>
    text.replace(PLACEHOLDER, (placeholder: string, name?: string, hasDefault?: string, fallback = '') => {
      const where = pathText(path)
      replaced.add(where)
      if (name === undefined) {
        problems.push({ path: where, text: `expected \${NAME} or \${NAME:-default} after "\${"` })
        return placeholder
      }
      const value = env[name]
      if (hasDefault !== undefined) return value || fallback
      if (value !== undefined) return value
      problems.push({ path: where, text: `the variable ${name} is not set`, variable: true })
      return placeholder
    })

  return { value: visit(raw, []), problems, replaced }
}
