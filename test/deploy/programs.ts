import { spawnSync } from 'node:child_process'
import { expect } from 'vitest'

/** Runs a checking program in the root of the repository and returns what it printed; anything but status 0 fails. */
export function check(program: 'promtool' | 'amtool', ...args: readonly string[]): string {
  const { status, stdout, stderr, error } = spawnSync(program, args, { encoding: 'utf8' })
  expect(error, `${program} cannot be started`).toBeUndefined()
  expect(status, `${stdout}\n${stderr}`).toBe(0)
  return stdout
}
