import { existsSync } from 'node:fs'
import { join, resolve } from 'node:path'

/** Folder of the recorded exchanges: no part of this repository; TURNKEEPER_CORPUS names another place. */
export const CORPUS = resolve(
  import.meta.dirname,
  '../..',
  process.env.TURNKEEPER_CORPUS ?? '../shared/corpus',
)

/** Whether the recordings are there. */
export const hasCorpus = existsSync(join(CORPUS, 'accept.mjs'))
