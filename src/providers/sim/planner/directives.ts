/**
 * Explicit directives in the user's message, for tests that must know what the model does:
 *
 * - `call <tool> with {json}`: calls that tool once with exactly that input, offered or not, and then answers
 *   `The result of <tool> is: <result>`, one line a call.
 * - several of them in one message: parallel calls in one step; before `then call …` a new step begins.
 * - `say "text"`: answers exactly the text (JSON escapes are read), after the calls if there are any.
 */

import { isObject, parseJson } from './conversation.ts'

export type Directive = { readonly tool: string; readonly input: Readonly<Record<string, unknown>> }

export type Directives = {
  /** The calls of each step. */
  readonly steps: readonly (readonly Directive[])[]
  /** What to answer at the end, if the message says so. */
  readonly say: string | undefined
}

/** The directives of a message; text that only looks like one is left alone. */
export function readDirectives(message: string): Directives {
  const steps: Directive[][] = []
  let rest = message
  for (;;) {
    const head = /\b(then\s+)?call\s+[`"]?([\w.-]+)[`"]?\s+with\s+(?=\{)/i.exec(rest)
    if (head === null) break
    const start = head.index + head[0].length
    const json = balancedJson(rest.slice(start))
    const input = json === undefined ? undefined : parseJson(json)
    rest = rest.slice(start + (json?.length ?? 0))
    if (!isObject(input)) continue
    if (head[1] !== undefined || steps.length === 0) steps.push([])
    steps.at(-1)?.push({ tool: head[2] ?? '', input })
  }
  return { steps, say: readSay(steps.length === 0 ? message : rest) }
}

function readSay(message: string): string | undefined {
  const quoted = /\bsay\s+("(?:[^"\\]|\\.)*")/i.exec(message)?.[1]
  if (quoted === undefined) return undefined
  const parsed = parseJson(quoted)
  return typeof parsed === 'string' ? parsed : quoted.slice(1, -1)
}

/** The object at the start of `text`, up to the brace that closes it. */
function balancedJson(text: string): string | undefined {
  let depth = 0
  let quoted = false
  for (let at = 0; at < text.length; at += 1) {
    const character = text[at]
    if (quoted && character === '\\') at += 1
    else if (character === '"') quoted = !quoted
    else if (quoted) continue
    else if (character === '{') depth += 1
    else if (character === '}') depth -= 1
    if (depth === 0) return text.slice(0, at + 1)
  }
  return undefined
}
