import { defineConfig } from 'vitest/config'
import { hasCorpus } from './test/acceptance/corpus.ts'

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    // The recordings are no part of the repository: where they are absent there is nothing to run.
    exclude: hasCorpus ? [] : ['test/acceptance/corpus*.test.ts'],
    testTimeout: 30_000,
    hookTimeout: 30_000,
    // A state that lasts is waited for as long as a busy machine needs.
    expect: { poll: { timeout: 10_000, interval: 20 } },
    // Real servers and clocks: on a busy machine a test may be late. In CI it gets a second try, and the report says so.
    retry: process.env.CI ? 1 : 0,
    pool: 'forks',
    // Two cores: more workers than that only make the timers of real servers late.
    maxWorkers: 2,
  },
})
