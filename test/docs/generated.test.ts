import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { providersPage } from '../../scripts/docs/providers-page.ts'

test('docs/providers.md is what npm run docs writes now', () => {
  expect(readFileSync('docs/providers.md', 'utf8')).toBe(providersPage())
})
