import { expect, test } from 'vitest'

import type { Reason } from '../../src/errors.ts'
import { classifyFailure } from '../../src/providers/failures/classify.ts'
import type { ContentKind } from '../../src/providers/upstream.ts'
import { createRedactor } from '../../src/telemetry/redaction.ts'

const classify = (status: number, body?: unknown, kind: ContentKind = 'json') =>
  classifyFailure({
    status,
    headers: {},
    kind,
    body,
    now: 0,
    excerpt: {
      secrets: ['s3cret-value'],
      redactor: createRedactor(),
      sent: '{"content":"my very private question about taxes"}',
    },
  })
const error = (message: string, more: object = {}): object => ({ error: { message, ...more } })

const cases: readonly [status: number, body: unknown, expected: Reason][] = [
  [401, error('No auth'), 'invalid_key'],
  [401, 'Unauthorized', 'invalid_key'],
  [401, { detail: 'Unauthorized' }, 'invalid_key'],
  [400, [{ error: { message: 'API key not valid. Please pass a valid API key.' } }], 'invalid_key'],
  [400, error('Incorrect API key provided: xa****'), 'invalid_key'],
  [403, error('Country not supported'), 'forbidden'],
  [403, error('Your input was flagged'), 'content_filter'],
  [402, error('Insufficient Balance'), 'quota_exhausted'],
  [400, error('Your credit balance is too low to access the API'), 'quota_exhausted'],
  [429, error('slow down'), 'rate_limited'],
  [429, error('You exceeded your quota', { code: 'insufficient_quota' }), 'quota_exhausted'],
  [404, error('The model `x` does not exist'), 'model_not_found'],
  [400, error('x is not a valid model ID'), 'model_not_found'],
  [400, { error: 'model "nope" not found, try pulling it first' }, 'model_not_found'],
  [404, error('No endpoints found that support tool use.'), 'capability_missing'],
  [400, error("This model's maximum context length is 8192 tokens"), 'context_length'],
  [400, error('request (610 tokens) exceeds the available context size', {}), 'context_length'],
  [400, error('filtered', { code: 'content_filter' }), 'content_filter'],
  [400, error("Unsupported parameter: 'max_tokens'", { code: 'unsupported_parameter' }), 'invalid_parameter'],
  [422, { detail: [{ type: 'missing', msg: 'Field required' }] }, 'invalid_request'],
  [413, undefined, 'too_large'],
  [500, error('oops'), 'server_error'],
  [503, error('Loading model'), 'loading'],
  [503, error('no provider'), 'server_error'],
  [529, error('Overloaded'), 'overloaded'],
  [520, undefined, 'server_error'],
  [301, undefined, 'unknown'],
  [418, error('teapot'), 'unknown'],
  [200, error('Rate limit exceeded', { code: 429 }), 'rate_limited'],
  [200, error('Provider returned error', { code: '502' }), 'server_error'],
  [200, error('Overloaded', { type: 'overloaded_error' }), 'overloaded'],
  [200, error('quota exceeded'), 'stream_error'],
  [200, error('filtered', { code: 'content_filter' }), 'content_filter'],
  [200, error('exceeds the available context size', { code: 400 }), 'context_length'],
]

test.each(cases)('%i with %j is %s', (status, body, expected) => {
  expect(classify(status, body).reason).toBe(expected)
})

test('an HTML page with a server status is a page, with a client status what the status says', () => {
  expect(classify(502, undefined, 'html').reason).toBe('html_payload')
  expect(classify(401, undefined, 'html').reason).toBe('invalid_key')
})

test('C3: the message is ours; a short line of the upstream stands beside it and crosses no process border', () => {
  const failure = classify(500, error(`first\nsecond ${'x'.repeat(500)}`))
  expect(failure.message).toBe('the upstream answered 500 (server error)')
  expect(failure.excerpt).toMatch(/^first second x+…$/)
  expect(failure.excerpt?.length).toBeLessThanOrEqual(200)
  expect(JSON.stringify(failure)).not.toContain('first second')
})

test('C3: no markup, no key and no prompt gets into an excerpt', () => {
  expect(classify(500, error('<html><body>Bad gateway</body></html>')).excerpt).toBeUndefined()
  expect(classify(401, error('bad key s3cret-value')).excerpt).toBe('bad key [key]')
  expect(classify(401, error('bad key sk-abcdefgh12345')).excerpt).toBe('bad key [key]')
  expect(classify(401, error('bad header Bearer abcdefgh12345')).excerpt).not.toContain('abcdefgh')
  const echo = 'cannot parse "my very private question about taxes"'
  expect(classify(500, error(echo)).excerpt).toBeUndefined()
})
