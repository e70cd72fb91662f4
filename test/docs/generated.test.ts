import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { configurationPage } from '../../scripts/docs/configuration-page.ts'
import { metricsPage } from '../../scripts/docs/metrics-page.ts'
import { performancePage } from '../../scripts/docs/performance-page.ts'
import { providersPage } from '../../scripts/docs/providers-page.ts'

test.each([
  ['docs/configuration.md', configurationPage],
  ['docs/metrics.md', metricsPage],
  ['docs/performance.md', performancePage],
  ['docs/providers.md', providersPage],
])('%s is what npm run docs writes now', (file, page) => {
  expect(readFileSync(file, 'utf8')).toBe(page())
})
