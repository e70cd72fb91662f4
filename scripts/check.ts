/** `npm run check`: format, lint, types, architecture and unit tests, each named with its time. */

import { spawnSync } from 'node:child_process'

/** Suites that start processes, clusters or replicas, try thousands of inputs, or wait for real clocks: `npm test` runs them. */
const BEYOND_UNITS = [
  'test/integration/**',
  'test/acceptance/**',
  'test/cli/**',
  'test/testing/**',
  'test/deploy/exercise.test.ts',
  'test/deploy/rules.test.ts',
  'test/deploy/runbooks.test.ts',
  'test/gateway/**',
  'test/redis/durability.test.ts',
  'test/queue/queue.test.ts',
  'test/queue/journal.test.ts',
  'test/queue/tenants.test.ts',
  'test/queue/acceptance.test.ts',
  'test/queue/retry.test.ts',
  'test/providers/routing/health.test.ts',
  'test/providers/routing/failure-matrix.test.ts',
  'test/providers/routing/keys.test.ts',
  'test/providers/routing/probes/*.test.ts',
  'test/providers/properties.test.ts',
  'test/providers/routing/store.test.ts',
  'test/providers/routing/breaker/force.test.ts',
  'test/providers/routing/breaker/model.test.ts',
  'test/providers/llamacpp-cli/upstream.test.ts',
  'test/providers/routing/mitigation/mitigation.test.ts',
  'test/providers/routing/mitigation/store.test.ts',
  '**/fleet.test.ts',
]

const steps: readonly (readonly [name: string, command: string, ...args: string[]])[] = [
  ['format and lint', 'biome', 'check', '--error-on-warnings', '.'],
  ['types', 'tsc', '-p', '.'],
  [
    'architecture and unit tests',
    'vitest',
    'run',
    '--reporter=default',
    '--silent=passed-only',
    ...BEYOND_UNITS.map((glob) => `--exclude=${glob}`),
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
