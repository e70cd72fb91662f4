/** The numbered collections, quirks and failure modes, are covered: each number titles one test. */

import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'

/** A title that begins with a letter and a number; a table of cases is one test. */
const TITLE = /\(\s*['"`]([QF])(\d+) /g

test.each([
  ['quirk', 'Q', 64],
  ['failure mode', 'F', 46],
])('each %s has exactly one test with its number (%s1 to %i)', async (_what, letter, count) => {
  const numbers = (await titles()).filter((title) => title.letter === letter).map(({ number }) => number)
  const every = Array.from({ length: count }, (_, index) => index + 1)
  expect(numbers.toSorted((a, b) => a - b)).toEqual(every)
})

async function titles(): Promise<readonly { readonly letter: string; readonly number: number }[]> {
  const files = (await readdir(import.meta.dirname)).filter((name) => name.endsWith('.test.ts'))
  const sources = await Promise.all(files.map((name) => readFile(join(import.meta.dirname, name), 'utf8')))
  return sources.flatMap((source) =>
    [...source.matchAll(TITLE)].map(([, letter = '', number]) => ({ letter, number: Number(number) })),
  )
}
