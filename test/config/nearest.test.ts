import { expect, test } from 'vitest'
import { nearest } from '../../src/config/nearest.ts'

test.each([
  ['timeuots', 'timeouts'],
  ['TIMEOUTS', 'timeouts'],
  ['prot', 'port'],
  ['baseurl', 'baseUrl'],
])('%s is taken for %s', (word, meant) => {
  expect(nearest(word, ['port', 'timeouts', 'baseUrl', 'enabled'])).toBe(meant)
})

test('a word that is near to nothing has no suggestion', () => {
  expect(nearest('weight', ['port', 'timeouts', 'baseUrl'])).toBeUndefined()
  expect(nearest('x', [])).toBeUndefined()
})
