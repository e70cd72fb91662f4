/** The package as it is published, in `bench/.build/`: Node strips no types from that. */

import { spawnSync } from 'node:child_process'
import { cpSync, mkdirSync, rmSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const ROOT = fileURLToPath(new URL('../../', import.meta.url))
const OUT = fileURLToPath(new URL('../.build', import.meta.url))

/** Compiles `src` as `npm run build` does, and puts the program beside it. */
export async function buildPackage(): Promise<void> {
  rmSync(OUT, { recursive: true, force: true })
  mkdirSync(OUT)
  const { status } = spawnSync(
    'node_modules/.bin/tsc',
    ['-p', 'tsconfig.build.json', '--outDir', `${OUT}/lib`],
    {
      cwd: ROOT,
      stdio: ['ignore', 2, 2],
    },
  )
  if (status !== 0) throw new Error('the package cannot be built')
  cpSync(`${ROOT}/src`, `${OUT}/lib`, { recursive: true, filter: (path) => !/\.ts$/.test(path) })
  cpSync(`${ROOT}/bin`, `${OUT}/bin`, { recursive: true })
  cpSync(`${ROOT}/package.json`, `${OUT}/package.json`)
}
