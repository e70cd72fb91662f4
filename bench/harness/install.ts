import { spawnSync } from 'node:child_process'
import { existsSync, statSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const FOLDER = fileURLToPath(new URL('..', import.meta.url))

/** Runs `npm ci` in `bench/` unless what is there is as new as the lock file. */
export function installPeers(note: (line: string) => void): void {
  const mark = `${FOLDER}/node_modules/.package-lock.json`
  const lock = `${FOLDER}/package-lock.json`
  if (existsSync(mark) && statSync(mark).mtimeMs >= statSync(lock).mtimeMs) return
  note('bench: installing what Turnkeeper is compared with')
  const { status } = spawnSync('npm', ['ci', '--no-audit', '--no-fund', '--ignore-scripts'], {
    cwd: FOLDER,
    stdio: ['ignore', 2, 2],
  })
  if (status !== 0) throw new Error('npm ci failed in bench/')
}
