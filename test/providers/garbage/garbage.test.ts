import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'

const ATTEMPTS = fileURLToPath(new URL('attempts.ts', import.meta.url))

/**
 * Counted, not timed: what a call has made and is done with must go with the next scavenge. Where V8 moves it to the old
 * generation, each call makes 3 to 20 KB of work for the collector (docs/decisions/0008-garbage.md says by what).
 */
test.each(['json', 'stream'])(
  'nothing of a finished call (%s) grows old',
  async (kind) => {
    const flags = ['--expose-gc', '--disable-warning=ExperimentalWarning']
    const { stdout } = await promisify(execFile)(process.execPath, [...flags, ATTEMPTS, kind])
    const { bytesACall } = JSON.parse(stdout) as { bytesACall: number }
    expect(bytesACall).toBeLessThan(700)
  },
  60_000,
)
