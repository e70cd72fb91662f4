/** `npm run docs`: writes the generated pages; with `--check`, says which of them are out of date. */

import { readFileSync, writeFileSync } from 'node:fs'
import { configurationPage } from './docs/configuration-page.ts'
import { metricsPage } from './docs/metrics-page.ts'
import { performancePage } from './docs/performance-page.ts'
import { providersPage } from './docs/providers-page.ts'

const PAGES: Readonly<Record<string, () => string>> = {
  'docs/configuration.md': configurationPage,
  'docs/metrics.md': metricsPage,
  'docs/performance.md': performancePage,
  'docs/providers.md': providersPage,
}

const isCheck = process.argv.includes('--check')
for (const [file, render] of Object.entries(PAGES)) {
  const text = render()
  if (!isCheck) writeFileSync(file, text)
  else if (readFileSync(file, 'utf8') !== text) {
    console.error(`${file} is out of date: npm run docs`)
    process.exitCode = 1
  }
}
