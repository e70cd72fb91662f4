/** The final answer of a turn that used tools: every number in it was in a tool result. */

import { targetOf, termOf } from './arguments.ts'
import { type FileFacts, oneLine } from './findings.ts'
import { extremeOf, filesOf, type Situation } from './steps.ts'
import { isOfKind, unique } from './task.ts'

/** Names of files in a sentence, at most. */
const MOST_NAMES = 12

/** Files whose lengths are told one by one, at most. */
const MOST_COMPARED = 4

/** What was found, in sentences; empty if nothing was. */
export function report(situation: Situation): string {
  return [
    ...listingSentences(situation),
    ...measureSentences(situation),
    ...readSentences(situation),
    ...searchSentences(situation),
    ...otherSentences(situation),
    ...failureSentences(situation),
  ].join(' ')
}

function listingSentences({ task, findings }: Situation): readonly string[] {
  const listings = findings.listings
  const roots = listings.filter(
    ({ directory }) => !listings.some((other) => other.directories.includes(directory)),
  )
  return roots.map(({ directory }) => {
    const below = listings.filter((other) => isUnder(other.directory, directory))
    const files = unique(below.flatMap((listing) => listing.files)).filter((path) =>
      isOfKind(path, task.kind),
    )
    const label = task.kind === undefined ? '' : `${task.kind.label} `
    const count = files.length === 1 ? `is 1 ${label}file` : `are ${files.length} ${label}files`
    const names = task.wants.measure || files.length === 0 ? '' : `: ${enumerate(files)}`
    return `There ${count} under ${directory}${names}.`
  })
}

function measureSentences(situation: Situation): readonly string[] {
  const { task, findings } = situation
  if (!task.wants.measure) return []
  const measured = findings.files.filter(({ lines }) => lines !== undefined)
  const wanted = filesOf(situation).length
  const extreme = findings.files.find(({ path }) => path === extremeOf(situation))
  if (extreme === undefined) return []
  if (measured.length === 1) return [`${extreme.path} has ${lineCount(extreme)}.`]
  const superlative = /\b(shortest|smallest)\b/i.test(task.question) ? 'shortest' : 'longest'
  const part = measured.length < wanted ? `Of the ${measured.length} that I measured, the` : 'The'
  const total = measured.reduce((sum, { lines }) => sum + (lines ?? 0), 0)
  const each =
    measured.length > MOST_COMPARED ? [] : measured.map((file) => `${file.path} has ${lineCount(file)}.`)
  return [
    ...each,
    `${part} ${superlative} is ${extreme.path} with ${lineCount(extreme)}.`,
    ...(/\b(total|together|altogether|sum|how many lines)\b/i.test(task.question)
      ? [`Together they have ${total} lines.`]
      : []),
  ]
}

function readSentences({ task, findings }: Situation): readonly string[] {
  return findings.files
    .filter(({ opening }) => opening !== undefined && (task.wants.read || !task.wants.measure))
    .map((file) => `${file.path} (${lineCount(file)}) begins: "${file.opening}"`)
}

function searchSentences({ findings }: Situation): readonly string[] {
  return findings.searches.map(({ term, hits, files }) => {
    if (hits === 0) return `"${term}" was not found.`
    const places = files.length === 0 ? '' : `, in ${enumerate(files)}`
    return `"${term}" was found ${hits === 1 ? 'once' : `${hits} times`}${places}.`
  })
}

function otherSentences({ findings }: Situation): readonly string[] {
  return findings.others.map(({ name, result }) => sentence(`${name} says: ${oneLine(result)}`))
}

function failureSentences({ findings }: Situation): readonly string[] {
  return findings.failures.map(({ name, input, reason }) => {
    const about = targetOf(input) ?? termOf(input)
    return sentence(`${name} failed${about === undefined ? '' : ` for ${about}`}: ${reason}`)
  })
}

function sentence(text: string): string {
  return /[.!?]$/.test(text) ? text : `${text}.`
}

function isUnder(path: string, directory: string): boolean {
  return directory === '.' || path === directory || path.startsWith(`${directory}/`)
}

function lineCount({ lines }: FileFacts): string {
  return lines === 1 ? '1 line' : `${lines} lines`
}

function enumerate(paths: readonly string[]): string {
  const rest = paths.length - MOST_NAMES
  return paths.slice(0, MOST_NAMES).join(', ') + (rest > 0 ? ` and ${rest} more` : '')
}
