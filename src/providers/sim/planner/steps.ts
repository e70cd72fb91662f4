/**
 * The next tool calls. Each time, all the calls that the task wants with what is known now are worked out; those
 * already made are taken away, and the rest is the next step. It ends: a step that adds nothing is the last, and
 * there are at most `MOST_ROUNDS`.
 */

import type { ToolSpec } from '../../types.ts'
import { type Toolbox, wordsOf } from './abilities.ts'
import { argumentsFor, type Subject, targetOf } from './arguments.ts'
import type { Conversation } from './conversation.ts'
import type { Findings } from './findings.ts'
import { isOfKind, type Task, unique } from './task.ts'

export type PlannedCall = { readonly name: string; readonly input: unknown }

export type Situation = {
  readonly conversation: Conversation
  readonly task: Task
  readonly tools: Toolbox
  readonly findings: Findings
}

const MOST_ROUNDS = 4
const MOST_CALLS_OF_A_STEP = 16
const MOST_FILES_READ = 3
const MOST_VALUES = 4

/** The calls of the next step; none when the work is done. */
export function nextCalls(situation: Situation): readonly PlannedCall[] {
  const { rounds } = situation.conversation
  if (rounds.length >= MOST_ROUNDS) return []
  const made = new Set(rounds.flat().map(keyOf))
  const wanted = [...filesWork(situation), ...otherWork(situation)]
  const fresh = new Map(wanted.map((call) => [keyOf(call), call]))
  return [...fresh]
    .filter(([key]) => !made.has(key))
    .map(([, call]) => call)
    .slice(0, MOST_CALLS_OF_A_STEP)
}

/** The files that the task is about, as far as they are known: those of its kind, named or found. */
export function filesOf({ task, findings }: Pick<Situation, 'task' | 'findings'>): readonly string[] {
  const listed = findings.listings.flatMap((listing) => listing.files)
  const found = task.wants.read ? findings.searches.flatMap((search) => search.files) : []
  return unique([...task.files, ...[...listed, ...found].filter((path) => isOfKind(path, task.kind))])
}

/** The file with the most lines, or the fewest if the task asks for that; undefined while nothing is measured. */
export function extremeOf({ task, findings }: Pick<Situation, 'task' | 'findings'>): string | undefined {
  const sign = /\b(shortest|smallest)\b/i.test(task.question) ? 1 : -1
  const measured = findings.files.filter(({ lines }) => lines !== undefined)
  return measured.toSorted((a, b) => sign * ((a.lines ?? 0) - (b.lines ?? 0)))[0]?.path
}

function filesWork(situation: Situation): readonly PlannedCall[] {
  const { task, tools } = situation
  const plan = (tool: ToolSpec | undefined, subjects: readonly Subject[]) =>
    tool === undefined ? [] : subjects.map((subject) => callOf(tool, subject, task))
  return [
    ...plan(
      tools.list,
      directoriesToList(situation).map((target) => ({ target })),
    ),
    ...plan(tools.search, searches(situation)),
    ...plan(
      tools.count ?? tools.read,
      filesToMeasure(situation).map((target) => ({ target })),
    ),
    ...plan(
      tools.read,
      filesToRead(situation).map((target) => ({ target })),
    ),
    ...secondTries(situation),
  ]
}

function directoriesToList({ task, tools, findings }: Situation): readonly string[] {
  const { list, measure, read, search } = task.wants
  if (search && !measure && tools.search !== undefined) return []
  const unclear = list && task.files.length === 0 && task.directories.length === 0
  const asked = list || measure || read ? task.directories : []
  const deep = /\b(under|all|every|recursive\w*|whole|tree|repository)\b/i.test(task.question)
  const below = deep ? findings.listings.flatMap((listing) => listing.directories) : []
  return [...(unclear && aboutFiles(task) ? ['.'] : asked), ...below]
}

function aboutFiles(task: Task): boolean {
  return /\b(files?|folders?|director(y|ies)|repository|code|lines)\b/i.test(task.question)
}

function searches({ task }: Situation): readonly Subject[] {
  if (!task.wants.search) return []
  const target = task.directories[0] ?? task.files[0]
  return task.terms.slice(0, MOST_VALUES).map((term) => (target === undefined ? { term } : { term, target }))
}

function filesToMeasure(situation: Situation): readonly string[] {
  return situation.task.wants.measure ? filesOf(situation) : []
}

/** Measuring comes first: then only the file that stands out is read. */
function filesToRead(situation: Situation): readonly string[] {
  const { task, tools, conversation } = situation
  if (!task.wants.read && tools.count !== undefined && task.wants.measure) return []
  if (!task.wants.read && task.wants.search) return []
  if (!task.wants.measure) {
    const named = task.wants.read ? filesOf(situation) : task.files
    return named.slice(0, Math.max(MOST_FILES_READ, task.files.length))
  }
  const extreme = extremeOf(situation)
  return task.wants.read && conversation.rounds.length > 1 && extreme !== undefined ? [extreme] : []
}

/** A path that failed is tried once more without its directory, or (a directory) one level up. */
function secondTries({ findings, tools, task }: Situation): readonly PlannedCall[] {
  const known = [tools.list, tools.read, tools.count]
  return findings.failures.flatMap(({ name, input }) => {
    const tool = known.find((candidate) => candidate?.name === name)
    const path = targetOf(input)
    const slash = path?.lastIndexOf('/') ?? -1
    if (tool === undefined || path === undefined || slash < 0) return []
    const target = tool === tools.list ? path.slice(0, slash) || '.' : path.slice(slash + 1)
    return [callOf(tool, { target }, task)]
  })
}

/** Tools that know nothing of files are called where the message speaks of what their name says, once. */
function otherWork({ tools, task, conversation }: Situation): readonly PlannedCall[] {
  const done = conversation.rounds.flat().map((call) => call.name)
  const words = new Set(stems(task.question))
  return tools.others
    .filter((tool) => !done.includes(tool.name) && stems(wordsOf(tool.name)).some((stem) => words.has(stem)))
    .flatMap((tool) => callsOf(tool, task))
}

/** Calls of one tool for the values of the message: several, where the tool takes one value and more are named. */
export function callsOf(tool: ToolSpec, task: Task): readonly PlannedCall[] {
  const required: unknown = tool.inputSchema.required
  const values = [...task.names, ...task.terms]
  const subject = { ...(task.files[0] !== undefined && { target: task.files[0] }) }
  const single = Array.isArray(required) && required.length === 1
  const used: readonly (string | undefined)[] =
    values.length === 0 ? [undefined] : values.slice(0, single ? MOST_VALUES : 1)
  return used.map((value) =>
    callOf(tool, value === undefined ? subject : { ...subject, value, term: value }, task),
  )
}

function callOf(tool: ToolSpec, subject: Subject, task: Task): PlannedCall {
  return { name: tool.name, input: argumentsFor(tool, subject, task) }
}

function keyOf({ name, input }: PlannedCall): string {
  return `${name} ${JSON.stringify(input)}`
}

/** Words of four letters or more, cut to what `books`, `booking` and `booked` share. */
function stems(text: string): readonly string[] {
  const words = text.toLowerCase().match(/[a-z]{4,}/g) ?? []
  return words.filter((word) => !EMPTY_WORDS.has(word)).map((word) => word.replace(/(ing|ed|es|s)$/, ''))
}

const EMPTY_WORDS: ReadonlySet<string> = new Set(
  'what which that this with from have does your about please there their they them tool info data make'.split(
    ' ',
  ),
)
