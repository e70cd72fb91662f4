/**
 * Finds the answer in what `llama-cli` prints: banner, echo of the prompt, answer, farewell.
 *
 * preamble ──echo, or text that is neither banner nor echo──▶ answer ──end──▶ over
 *
 * O1. What may still turn out to be control text is held back; all else is emitted as soon as it is whole.
 * O2. One line that begins with `Error: ` is no answer.
 * O3. Builds differ: some print a banner and `> ` with the prompt (cut at 500 bytes), some the bare prompt, some
 *     neither. Reasoning stands between `[Start thinking]` and `[End thinking]`.
 */

import type { PartSink } from '../types.ts'

export type OutputReader = {
  /** The answer has begun. */
  readonly hasBegun: boolean
  /** After the end: what llama-cli said instead of an answer. It does so with exit status 0. */
  readonly complaint: string | undefined
  push(text: string): void
  /** The process is over: what was held back is an answer or it is not. */
  end(): void
}

const BACKSPACE = '\u0008'
const TAKEN_BACK = new RegExp(`[^${BACKSPACE}]${BACKSPACE}`, 'u')
const ESCAPE = '\u001b'
const COLOUR = new RegExp(`${ESCAPE}\\[[0-9;?]*[A-Za-z]`, 'gu')

/** So much of a prompt is enough to know its echo by; it is never cut so short. */
const HEAD_CHARS = 100
const CUT = '... (truncated)'
const THINKING = { start: '[Start thinking]', end: '[End thinking]' } as const
const BANNER = ['Loading model', 'Waiting for server', '▄▄', 'build ']
const FAREWELL = ['[ Prompt: ', 'Exiting...', '[end of text]', '> EOF by user']
/** A whole line of it. */
const GOODBYE = /^(?:\[ Prompt: .* t\/s \]|Exiting\.\.\.|> EOF by user.*)$/
const END_MARK = '[end of text]'
const COMPLAINT = 'Error: '

/** A reader that emits `text` and `reasoning`. `prompt` as llama-cli was given it. */
export function createOutputReader(prompt: string, emit: PartSink): OutputReader {
  let state: 'preamble' | 'answer' = 'preamble'
  let kind: 'text' | 'reasoning' = 'text'
  let held = ''
  let hasBegun = false
  /** Nothing of this kind was said yet: white space before it is not part of it. */
  let isFresh = true
  let complaint: string | undefined

  const say = (text: string): void => {
    const delta = isFresh ? text.trimStart() : text
    if (delta === '') return
    hasBegun = true
    isFresh = false
    emit({ type: kind, delta })
  }
  const change = (to: typeof kind, rest: string): void => {
    kind = to
    isFresh = true
    held = rest.trimStart()
  }
  const drain = (isOver: boolean): void => {
    const started = hasBegun
      ? -1
      : held.trimStart().startsWith(THINKING.start)
        ? held.indexOf(THINKING.start)
        : -1
    if (started >= 0) change('reasoning', held.slice(started + THINKING.start.length))
    const ended = kind === 'reasoning' ? held.indexOf(THINKING.end) : -1
    if (ended >= 0) {
      say(held.slice(0, ended).trimEnd())
      change('text', held.slice(ended + THINKING.end.length))
    }
    const keep = isOver ? farewellFrom(held) : holdFrom(held, hasBegun)
    const said = held.slice(0, keep)
    if (isOver && !hasBegun && isComplaint(said)) complaint = said.trim()
    else say(said)
    held = isOver ? '' : held.slice(keep)
  }

  return {
    get hasBegun() {
      return hasBegun
    },
    get complaint() {
      return complaint
    },
    push(text) {
      held = plain(held + text)
      if (state === 'preamble') {
        const rest = afterPreamble(held, prompt)
        if (rest === undefined) return
        state = 'answer'
        held = rest
      }
      drain(false)
    },
    end() {
      if (state === 'preamble') held = isBanner(held.trimStart()) ? '' : held
      drain(true)
    },
  }
}

/** What follows banner and echo; undefined while that cannot be told. */
function afterPreamble(text: string, prompt: string): string | undefined {
  const head = prompt.slice(0, HEAD_CHARS)
  const start = text.trimStart()
  if (start === '' || start.startsWith(ESCAPE)) return undefined
  const marked = start.startsWith(`> ${head}`) ? text.length - start.length : text.indexOf(`\n> ${head}`)
  if (marked >= 0) return afterEcho(text.slice(text.indexOf(head, marked)), prompt)
  if (start.startsWith(head)) return afterEcho(start, prompt)
  const openings = [...BANNER, `> ${head}`, head]
  return isSpinner(start) || openings.some((opening) => mayBegin(start, opening)) ? undefined : text
}

function afterEcho(text: string, prompt: string): string | undefined {
  if (text.startsWith(prompt)) return text.slice(prompt.length)
  const cut = text.indexOf(CUT)
  return cut < 0 ? undefined : text.slice(cut + CUT.length)
}

function isBanner(text: string): boolean {
  return BANNER.some((opening) => text.startsWith(opening))
}

/** One frame of the wheel that turns while the model reads; the next byte takes it back. */
function isSpinner(text: string): boolean {
  return /^[|/\\-]$/.test(text)
}

/** Where the part begins that may be control text, or the beginning of it. */
function holdFrom(text: string, hasBegun: boolean): number {
  const start = text.trimStart()
  if (!hasBegun && (isSpinner(start) || mayBegin(start, THINKING.start) || mayBegin(start, COMPLAINT)))
    return 0
  const lines = lastFrom(text, (line) => [...FAREWELL, THINKING.end].some((word) => mayBegin(line, word)))
  const mark = text.lastIndexOf('[')
  const isMark = mark >= 0 && mayBegin(text.slice(mark).trimEnd(), END_MARK)
  const colour = text.indexOf(ESCAPE) // whole sequences are gone already
  return Math.min(lines, isMark ? mark : lines, colour >= 0 ? colour : lines)
}

/** Where the farewell begins. */
function farewellFrom(text: string): number {
  const lines = lastFrom(text, (line) => GOODBYE.test(line))
  const said = text.slice(0, lines).trimEnd()
  return said.endsWith(END_MARK) ? said.slice(0, -END_MARK.length).trimEnd().length : lines
}

function isComplaint(text: string): boolean {
  const line = text.trim()
  return line.startsWith(COMPLAINT) && !line.includes('\n')
}

/** Whether `text` begins with `word`, or could once there is more of it. */
function mayBegin(text: string, word: string): boolean {
  return word.startsWith(text) || text.startsWith(word)
}

/** The start of the last run of empty lines and lines that are control text; a line ends the run that is neither. */
function lastFrom(text: string, isControl: (line: string) => boolean): number {
  let from = text.length
  while (from > 0) {
    const newline = text.lastIndexOf('\n', from - 1)
    const line = text.slice(newline + 1, from).trim()
    if (line !== '' && !isControl(line)) return trimmedEnd(text, from)
    if (newline < 0) return 0
    from = newline
  }
  return 0
}

/** Spaces at the end may belong to what follows them. */
function trimmedEnd(text: string, from: number): number {
  return from === text.length ? from : text.slice(0, from).trimEnd().length
}

/** Without colours, carriage returns and what backspaces took back. */
function plain(text: string): string {
  let clean = text.replace(COLOUR, '').replaceAll('\r', '')
  while (TAKEN_BACK.test(clean)) clean = clean.replace(TAKEN_BACK, '')
  return clean.replaceAll(BACKSPACE, '')
}
