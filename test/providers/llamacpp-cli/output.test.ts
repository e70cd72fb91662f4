import { describe, expect, test } from 'vitest'
import { createOutputReader } from '../../../src/providers/llamacpp-cli/output.ts'
import { seededRandom } from '../../../src/providers/sim/random.ts'

const PROMPT = 'Tell me\nabout lists.'
const BANNER = '\n\nLoading model... |\b/\b \b\n▄▄ ▄▄\n\nbuild      : b1\n\navailable commands:\n  /exit\n\n'
const ANSWER = 'A list:\n\n- [one]\n- two\n\nExiting... is a word.\n\n[ Prompt: is too.'
const FAREWELL = '\n\n[ Prompt: 1.0 t/s | Generation: 2.0 t/s ]\n\n\nExiting...\n'

type Read = { text: string; reasoning: string; complaint: string | undefined }

function read(pieces: readonly string[]): Read {
  const said = { text: '', reasoning: '' }
  const reader = createOutputReader(PROMPT, (part) => {
    if (part.type === 'text' || part.type === 'reasoning') said[part.type] += part.delta
  })
  for (const piece of pieces) reader.push(piece)
  reader.end()
  return { ...said, complaint: reader.complaint }
}

function cut(text: string, seed: number): readonly string[] {
  const random = seededRandom(seed)
  const pieces: string[] = []
  for (let at = 0; at < text.length; ) {
    const length = 1 + Math.floor(random() * 9)
    pieces.push(text.slice(at, at + length))
    at += length
  }
  return pieces
}

describe.each<[string, string, Partial<Read>]>([
  ['banner and echo', `${BANNER}\n> ${PROMPT}\n\n|\b/\b \b${ANSWER}${FAREWELL}`, { text: ANSWER }],
  ['an echo alone', `> ${PROMPT}\n${ANSWER}${FAREWELL}`, { text: ANSWER }],
  ['the bare prompt', `${PROMPT}${ANSWER} [end of text]\n\n`, { text: ANSWER }],
  ['the bare answer', `${ANSWER} [end of text]\n`, { text: ANSWER }],
  ['colours', `\u001b[32m\n> ${PROMPT}\n\u001b[0m${ANSWER}${FAREWELL}`, { text: ANSWER }],
  [
    'reasoning',
    `\n> ${PROMPT}\n\n[Start thinking]\n\nHm.\n\nYes.\n[End thinking]\n\n${ANSWER}${FAREWELL}`,
    { text: ANSWER, reasoning: 'Hm.\n\nYes.' },
  ],
  [
    'a complaint',
    `${BANNER}\n> ${PROMPT}\nError: no memory\n\n\nExiting...\n`,
    { text: '', complaint: 'Error: no memory' },
  ],
  ['an answer that begins like one', `\n> ${PROMPT}\nError: x\nmeans y.`, { text: 'Error: x\nmeans y.' }],
  ['a banner alone', BANNER, { text: '' }],
])('%s', (_name, output, expected) => {
  test.each([1, 2, 3, 4, 5, 6, 7, 8])('is read however it is cut (seed %i)', (seed) => {
    expect(read(cut(output, seed))).toMatchObject({ reasoning: '', ...expected })
    expect(read([output])).toMatchObject({ reasoning: '', ...expected })
  })
})
