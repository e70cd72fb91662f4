import { expect, test } from 'vitest'

import { retryAfterOf, waitOf } from '../../src/providers/failures/retry-after.ts'

const now = Date.parse('2026-03-01T12:00:00Z')
const of = (headers: Record<string, string>, body?: unknown, status = 429): number | undefined =>
  retryAfterOf({ headers, body, status, now })

test.each([
  ['seconds', '2', 2000],
  ['fractions of seconds', '0.25', 250],
  ['an HTTP date', 'Sun, 01 Mar 2026 12:00:30 GMT', 30_000],
  ['a date that is over', 'Sun, 01 Mar 2026 11:00:00 GMT', 0],
  ['RFC 3339', '2026-03-01T12:01:00Z', 60_000],
  ['a Go duration', '6m0s', 360_000],
  ['a Go duration in milliseconds', '17ms', 17],
  ['epoch seconds', String(now / 1000 + 5), 5000],
  ['epoch milliseconds', String(now + 5), 5],
])('a wait may be %s', (_name, value, expected) => {
  expect(waitOf(value, now)).toBe(expected)
})

test.each(['', 'soon', '-5', 'NaN', '12,5', '1e9x', 'Infinity', '2 minutes'])('%j is no wait', (value) => {
  expect(waitOf(value, now)).toBeUndefined()
})

test('milliseconds win over seconds, and both over the resets', () => {
  expect(of({ 'retry-after-ms': '40', 'retry-after': '1' })).toBe(40)
  expect(of({ 'retry-after': '1', 'x-ratelimit-reset': '9' })).toBe(1000)
})

test('the longest reset of a used-up limit counts, the others do not', () => {
  const headers = {
    'x-ratelimit-remaining-requests': '0',
    'x-ratelimit-reset-requests': '2s',
    'x-ratelimit-remaining-tokens': '100',
    'x-ratelimit-reset-tokens': '6m0s',
  }
  expect(of(headers)).toBe(2000)
  expect(of({ ...headers, 'x-ratelimit-remaining-tokens': '0' })).toBe(360_000)
  expect(of({ 'anthropic-ratelimit-tokens-reset': '2026-03-01T12:00:09Z' })).toBe(9000)
})

test('resets say nothing about failures that are no rate limits', () => {
  expect(of({ 'x-ratelimit-reset-tokens': '6m0s' }, undefined, 500)).toBeUndefined()
})

test('a wait in the body is read where the headers have none', () => {
  expect(of({}, [{ error: { details: [{ retryDelay: '31s' }] } }])).toBe(31_000)
  expect(of({}, { error: { message: 'Limit reached. Please try again in 1.5s. Bye' } })).toBe(1500)
})

test('no hint is longer than a day', () => {
  expect(of({ 'retry-after': '1555200' })).toBe(86_400_000)
})
