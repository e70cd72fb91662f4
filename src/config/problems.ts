/** From what is wrong with a configuration to sentences: path, what was expected, what came, what was meant. */

import { TurnkeeperError } from '../errors.ts'
import { nearest } from './nearest.ts'

/** One line of the report. `variable` marks a variable that is not set. */
export type Problem = {
  readonly path: string
  readonly text: string
  readonly variable?: boolean
}

export type Path = readonly PropertyKey[]

/** What is needed of a zod issue; `message` is what was expected, or the known keys after unknown ones. */
export type SchemaIssue = {
  readonly code?: string
  readonly path: Path
  readonly message: string
  readonly keys?: readonly string[]
  readonly expected?: string
}

/** `providers.openrouter.credentials[0].apiKey` */
export function pathText(path: Path): string {
  return path.reduce<string>((text, part) => {
    if (typeof part === 'number') return `${text}[${part}]`
    return text === '' ? String(part) : `${text}.${String(part)}`
  }, '')
}

/** `(did you mean "x"?)`, or nothing where no known word is near. */
export function suggestion(word: string, known: Iterable<string>): string {
  const meant = nearest(word, known)
  return meant === undefined ? '' : `, did you mean "${meant}"?`
}

/** The lines for one schema issue. `input` is what the schema saw, `opaque` tells paths whose value may be secret. */
export function problemsFromIssue(
  issue: SchemaIssue,
  input: unknown,
  opaque: (path: Path) => boolean,
): Problem[] {
  if (issue.code === 'unrecognized_keys') {
    const known = issue.message.split(' ')
    return (issue.keys ?? []).map((key) => ({
      path: pathText([...issue.path, key]),
      text: `unknown key${suggestion(key, known) || ` (known here: ${known.join(', ')})`}`,
    }))
  }
  const value = valueAt(input, issue.path)
  // text where a whole section belongs may be a key that somebody put one level too high
  const isMisplaced = /^(?:object|record|array)$/.test(issue.expected ?? '')
  const came = issue.code === 'invalid_key' ? 'this one' : valueText(value, isMisplaced || opaque(issue.path))
  return [{ path: pathText(issue.path), text: `expected ${issue.message}, got ${came}` }]
}

/** All problems as one error, one a line; `missing_variable` if nothing but variables is missing. */
export function configError(source: string, problems: readonly Problem[]): TurnkeeperError {
  const reason = problems.every(({ variable }) => variable) ? 'missing_variable' : 'invalid_config'
  const lines = problems.map(({ path, text }) => (path === '' ? text : `${path}: ${text}`))
  const message = lines.length === 1 ? `${source}: ${lines[0]}` : `${source}:\n${lines.join('\n')}`
  return new TurnkeeperError(reason, message)
}

function valueAt(input: unknown, path: Path): unknown {
  return path.reduce<unknown>(
    (value, part) => (typeof value === 'object' && value !== null ? Reflect.get(value, part) : undefined),
    input,
  )
}

function valueText(value: unknown, opaque: boolean): string {
  if (value === undefined || value === null) return 'nothing'
  if (Array.isArray(value)) return `a list of ${value.length}`
  if (typeof value === 'object') return 'a mapping'
  if (opaque) return typeof value === 'string' ? `text of ${value.length} characters` : `a ${typeof value}`
  return JSON.stringify(String(value).length > 60 ? `${String(value).slice(0, 60)}…` : value) ?? typeof value
}
