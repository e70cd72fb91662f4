/** `npm run check`: format, lint, types, architecture and unit tests, each named with its time. */

import { spawnSync } from 'node:child_process'

const steps: readonly (readonly [name: string, command: string, ...args: string[]])[] = [
  ['format and lint', 'biome', 'check', '--error-on-warnings', '.'],
  ['types', 'tsc', '-p', '.'],
  [
    'architecture and unit tests',
    'vitest',
    'run',
    '--reporter=default',
    '--silent=passed-only',
    '--exclude=test/integration/**',
    '--exclude=test/acceptance/**',
    // Real processes of the command line: npm test runs them.
    '--exclude=test/cli/**',
    '--exclude=**/fleet.test.ts',
  ],
]

for (const [name, command, ...args] of steps) {
  const started = performance.now()
  const { status, stdout, stderr } = spawnSync(command, args, {
    encoding: 'utf8',
    env: { ...process.env, NO_COLOR: '1' },
  })
  const seconds = ((performance.now() - started) / 1000).toFixed(1)
  if (status !== 0) {
    console.error(`${stdout}\n${stderr}`.replaceAll(/^ *✓.*\n/gm, ''))
    console.error(`✗ ${name} (${seconds} s)`)
    process.exit(1)
  }
  console.log(`✓ ${name} (${seconds} s)`)
}
