import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    testTimeout: 15_000,
    hookTimeout: 30_000,
    pool: 'forks',
    // Two cores: more workers than that only make the timers of real servers late.
    maxWorkers: 2,
  },
})
