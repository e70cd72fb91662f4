/** Fills the arguments of a tool from what the planner knows, by the names of the schema's properties. */

import type { ToolSpec } from '../../types.ts'
import { wordsOf } from './abilities.ts'
import { isObject } from './conversation.ts'
import { fillSchema, type Propose } from './schema.ts'
import type { Task } from './task.ts'

/** What this call is about. */
export type Subject = {
  /** A file or a directory. */
  readonly target?: string
  /** What to search for. */
  readonly term?: string
  /** Any other value from the message, for a tool that knows neither files nor terms. */
  readonly value?: string
}

const TARGET = /\b(path|paths|file|files|filename|dir|directory|folder|root|cwd|target|location|uri)\b/
const TERM = /\b(query|text|term|search|needle|keyword|keywords|regex|string|pattern|phrase)\b/
const EXTENSION = /\b(extension|ext|suffix)\b/

/** An input for `tool` about `subject`: the required properties and the optional ones that the subject speaks to. */
export function argumentsFor(tool: ToolSpec, subject: Subject, task: Task): unknown {
  const input = fillSchema(tool.inputSchema, {
    propose: proposer(subject, task, requiredOf(tool)),
    all: false,
  })
  return isObject(input) ? input : {}
}

/** The first value of an input that stands under the name of a path. */
export function targetOf(input: unknown): string | undefined {
  return valueUnder(input, TARGET)
}

/** The first value of an input that stands under the name of a search term. */
export function termOf(input: unknown): string | undefined {
  return valueUnder(input, TERM)
}

function valueUnder(input: unknown, names: RegExp): string | undefined {
  if (!isObject(input)) return undefined
  const value = Object.entries(input).find(([name]) => names.test(wordsOf(name)))?.[1]
  const first: unknown = Array.isArray(value) ? value[0] : value
  return typeof first === 'string' ? first : undefined
}

function proposer(subject: Subject, task: Task, required: readonly string[]): Propose {
  return (property, schema) => {
    const words = wordsOf(property)
    const needed = required.includes(property)
    if (Array.isArray(schema.enum)) return chosenInMessage(schema.enum, task)
    const type = schema.type
    if (type === 'number' || type === 'integer') return needed ? task.numbers[0] : undefined
    if (type === 'boolean') return needed ? (schema.default ?? false) : undefined
    if (TARGET.test(words)) return subject.target ?? (needed ? (subject.value ?? '.') : undefined)
    if (EXTENSION.test(words)) return needed ? task.kind?.extensions[0] : undefined
    if (TERM.test(words)) return subject.term ?? (needed ? glob(words, subject, task) : undefined)
    return needed && type !== 'object' && type !== 'array' ? (subject.value ?? task.question) : undefined
  }
}

function glob(words: string, subject: Subject, task: Task): string {
  if (!/\bpattern\b/.test(words)) return subject.value ?? task.terms[0] ?? task.question
  const extension = task.kind?.extensions[0]
  return extension === undefined ? '*' : `*.${extension}`
}

function chosenInMessage(choices: readonly unknown[], task: Task): unknown {
  const question = task.question.toLowerCase()
  return choices.find((choice) => typeof choice === 'string' && question.includes(choice.toLowerCase()))
}

function requiredOf(tool: ToolSpec): readonly string[] {
  const { required } = tool.inputSchema
  return Array.isArray(required) ? required.filter((name) => typeof name === 'string') : []
}
