/** What the tool results of this turn say: nothing the planner reports comes from anywhere else. */

import type { Toolbox } from './abilities.ts'
import { targetOf, termOf } from './arguments.ts'
import { type CompletedCall, type Conversation, isObject, parseJson } from './conversation.ts'
import { isFile, type Task, unique } from './task.ts'

export type Listing = {
  readonly directory: string
  readonly files: readonly string[]
  readonly directories: readonly string[]
}
export type FileFacts = {
  readonly path: string
  readonly lines: number | undefined
  /** The first line with text, where the file was read. */
  readonly opening: string | undefined
}
export type Search = { readonly term: string; readonly hits: number; readonly files: readonly string[] }
export type Failure = { readonly name: string; readonly input: unknown; readonly reason: string }

export type Findings = {
  readonly listings: readonly Listing[]
  readonly files: readonly FileFacts[]
  readonly searches: readonly Search[]
  /** Calls of tools that are about something else. */
  readonly others: readonly CompletedCall[]
  readonly failures: readonly Failure[]
}

/** Reads every result of the turn. */
export function readFindings({ rounds }: Conversation, tools: Toolbox, task: Task): Findings {
  const calls = rounds.flat()
  const good = calls.filter((call) => !call.failed)
  const of = (tool: { readonly name: string } | undefined) => good.filter((call) => call.name === tool?.name)
  const known = [tools.list, tools.read, tools.count, tools.search].map((tool) => tool?.name)
  return {
    listings: of(tools.list).map(toListing),
    files: mergeFacts([...of(tools.count).map(toCounted), ...of(tools.read).map(toRead)]),
    searches: of(tools.search).map((call) => toSearch(call, task)),
    others: good.filter((call) => !known.includes(call.name)),
    failures: calls
      .filter((call) => call.failed)
      .map(({ name, input, result }) => ({ name, input, reason: oneLine(result) })),
  }
}

/** The first 160 characters of a text, on one line. */
export function oneLine(text: string): string {
  const line = text.replace(/\s+/g, ' ').trim()
  return line.length > 160 ? `${line.slice(0, 157)}...` : line
}

function toListing(call: CompletedCall): Listing {
  const directory = targetOf(call.input) ?? '.'
  const entries = unique(pathsIn(call.result).map((entry) => inside(directory, entry)))
  return {
    directory,
    files: entries.filter(isFile),
    directories: entries.filter((entry) => entry.endsWith('/')).map((entry) => entry.slice(0, -1)),
  }
}

function toCounted(call: CompletedCall): FileFacts {
  return { path: targetOf(call.input) ?? '', lines: numberIn(call.result), opening: undefined }
}

function toRead(call: CompletedCall): FileFacts {
  const text = contentIn(call.result)
  const opening = text.split('\n').find((line) => /\w/.test(line))
  return {
    path: targetOf(call.input) ?? '',
    lines: countLines(text),
    opening: oneLine((opening ?? '').replace(/^[\s/*#>-]+/, '')),
  }
}

/** A count is believed before the length of a text that may have been cut. */
function mergeFacts(facts: readonly FileFacts[]): readonly FileFacts[] {
  const merged = new Map<string, FileFacts>()
  for (const fact of facts) {
    const known = merged.get(fact.path)
    merged.set(fact.path, {
      ...fact,
      lines: known?.lines ?? fact.lines,
      opening: fact.opening ?? known?.opening,
    })
  }
  return [...merged.values()]
}

function toSearch(call: CompletedCall, task: Task): Search {
  const parsed = parseJson(call.result)
  const items = arrayIn(parsed) ?? call.result.split('\n').filter((line) => line.trim() !== '')
  const none = !Array.isArray(arrayIn(parsed)) && /^\W*(no|none|nothing|0)\b/i.test(call.result)
  return {
    term: termOf(call.input) ?? task.terms[0] ?? '',
    hits: none ? 0 : items.length,
    files: none ? [] : unique(pathsIn(call.result).filter(isFile)),
  }
}

/** Paths in a result: strings of a JSON value, or else lines of text. A directory ends in `/`. */
function pathsIn(result: string): readonly string[] {
  const parsed = parseJson(result)
  const found =
    isObject(parsed) || Array.isArray(parsed) ? pathsInJson(parsed) : result.split('\n').map(pathInLine)
  return found.filter((path) => path !== '' && path.length < 256 && !/\s/.test(path))
}

function pathsInJson(value: unknown): readonly string[] {
  if (typeof value === 'string') return [pathInLine(value)]
  if (Array.isArray(value)) return value.flatMap(pathsInJson)
  if (!isObject(value)) return []
  const named = value.path ?? value.file ?? value.name ?? value.filename
  if (typeof named !== 'string')
    return Object.values(value)
      .filter((child) => typeof child === 'object')
      .flatMap(pathsInJson)
  const directory = /^dir/.test(String(value.type ?? value.kind ?? '')) || value.isDirectory === true
  return [directory && !named.endsWith('/') ? `${named}/` : named]
}

/** `- src/a.ts`, `src/a.ts:12: text` and `src/a.ts (120 lines)` all name `src/a.ts`. */
function pathInLine(line: string): string {
  return /^[\s*-]*([\w@./[\]-]+)/.exec(line)?.[1] ?? ''
}

function inside(directory: string, entry: string): string {
  const base = directory.replace(/^\.\//, '').replace(/\/$/, '')
  const path = entry.replace(/^\.\//, '')
  if (base === '' || base === '.' || path.startsWith('/') || path === base || path.startsWith(`${base}/`))
    return path
  return `${base}/${path}`
}

function numberIn(result: string): number | undefined {
  const parsed = parseJson(result)
  if (typeof parsed === 'number') return parsed
  if (isObject(parsed)) {
    const named = [parsed.lines, parsed.count, parsed.total, ...Object.values(parsed)]
    return named.find((value) => typeof value === 'number')
  }
  const text = /(\d+)\s*lines?\b/i.exec(result)?.[1] ?? /(?<![\w.])(\d+)(?![\w.])/.exec(result)?.[1]
  return text === undefined ? undefined : Number(text)
}

function contentIn(result: string): string {
  const parsed = parseJson(result)
  if (typeof parsed === 'string') return parsed
  if (!isObject(parsed)) return result
  const text = parsed.content ?? parsed.text ?? parsed.data
  return typeof text === 'string' ? text : result
}

function countLines(text: string): number {
  if (text === '') return 0
  return text.split('\n').length - (text.endsWith('\n') ? 1 : 0)
}

function arrayIn(value: unknown): readonly unknown[] | undefined {
  if (Array.isArray(value)) return value
  return isObject(value) ? Object.values(value).find((child) => Array.isArray(child)) : undefined
}
