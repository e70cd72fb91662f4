import { expect, test } from 'vitest'
import { Secret } from '../../src/config/secret.ts'
import { TurnkeeperError } from '../../src/errors.ts'
import { createRedactor } from '../../src/telemetry/redaction.ts'

const secret = 'k"ey+/= 1234\\567'
const redactor = createRedactor([secret, 'hunter22', 'abc'])

const base64 = (text: string): string => Buffer.from(text).toString('base64')

test.each([
  ['as it is', `x ${secret} y`],
  ['in JSON', JSON.stringify({ a: secret })],
  ['in JSON inside JSON', JSON.stringify({ a: JSON.stringify({ b: secret }) })],
  ['URL-encoded', `?key=${encodeURIComponent(secret)}`],
  ['in base64', base64(secret)],
  ['in base64 after one byte', base64(`:${secret}`)],
  ['in base64 inside a longer text', base64(`user:${secret}:more`)],
  ['in JSON with escaped slashes', JSON.stringify({ a: secret }).replaceAll('/', '\\/')],
  ['URL-encoded twice', encodeURIComponent(`?key=${encodeURIComponent(secret)}`)],
  ['URL-encoded in lower case', encodeURIComponent(secret).replace(/%../g, (code) => code.toLowerCase())],
  ['in HTML', secret.replaceAll('"', '&quot;')],
  ['in hex', Buffer.from(`a ${secret} b`).toString('hex')],
  ['in upper-case hex', Buffer.from(secret).toString('hex').toUpperCase()],
  ['in base64url', Buffer.from(secret).toString('base64url')],
])('a known secret is masked %s', (_how, text) => {
  const masked = redactor.text(text)
  expect(masked).toContain('[redacted]')
  expect(masked).not.toContain('1234')
  expect(masked).not.toContain(base64(secret).slice(6, 14))
})

test('text without a secret stays as it is, and too short a secret does not shred it', () => {
  expect(redactor.text('abc: the route openrouter/z-ai/glm-4.6 is open')).toBe(
    'abc: the route openrouter/z-ai/glm-4.6 is open',
  )
})

test.each([
  ['Authorization: Bearer abcdefghijkl.mnop', 'Authorization: Bearer [redacted]'],
  ['key sk-or-v1-0123456789abcdef0123 refused', 'key [redacted] refused'],
])('what looks like a key is masked though nobody named it: %s', (text, expected) => {
  expect(createRedactor().text(text)).toBe(expected)
})

test.each([
  ['{"api_key":"abc-def-1"}', '{"api_key":"[redacted]"}'],
  ['{\\"client_secret\\": \\"abc-def-1\\"}', '{\\"client_secret\\": \\"[redacted]\\"}'],
  ['password=hunter2-x&next=1', 'password=[redacted]&next=1'],
  ['GET /v1?key=abc-def-1&a=2', 'GET /v1?key=[redacted]&a=2'],
  ['{"token":"Hello","logprob":-0.1}', '{"token":"Hello","logprob":-0.1}'],
])('a value is masked by the name before it: %s', (text, expected) => {
  expect(createRedactor().text(text)).toBe(expected)
})

test('R1: where a text was cut through a secret, neither piece of it stays', () => {
  for (let at = 6; at < secret.length - 6; at++) {
    const before = redactor.text(`x ${secret.slice(0, at)}`, { cutEnd: true })
    const after = redactor.text(`${secret.slice(at)} y`, { cutStart: true })
    expect([before, after]).toEqual(['x [redacted]', '[redacted] y'])
  }
  expect(redactor.text('a key: sk-abc', { cutEnd: true })).toBe('a key: [redacted]')
  expect(redactor.text('an ordinary end', { cutEnd: true })).toBe('an ordinary end')
})

test.each(['x-goog-api-key', 'X-Api-Key', 'Set-Cookie', 'x-amz-security-token', 'sig', 'access_token'])(
  '%s is the name of a secret',
  (name) => expect(redactor.isSecretName(name)).toBe(true),
)

test.each(['x-request-id', 'content-type', 'max_tokens', 'inputTokens', 'monkey'])('%s is not', (name) =>
  expect(redactor.isSecretName(name)).toBe(false),
)

test('fields that hold secrets are masked by their name, at any depth', () => {
  const fields = {
    apiKey: 'a',
    headers: { Authorization: 'b', 'x-api-key': 'c', accept: 'd' },
    list: [{ password: 'e', refresh_token: 'f' }],
    usage: { inputTokens: 3, tokens: 4 },
    credential: { id: 'main' },
  }
  expect(redactor.fields(fields)).toEqual({
    apiKey: '[redacted]',
    headers: { Authorization: '[redacted]', 'x-api-key': '[redacted]', accept: 'd' },
    list: [{ password: '[redacted]', refresh_token: '[redacted]' }],
    usage: { inputTokens: 3, tokens: 4 },
    credential: '[redacted]',
  })
  expect(redactor.fields({ id: new Secret('hunter22') })).toEqual({ id: '[secret]' })
})

test('an error of ours is logged in full, another without its message, which may quote content', () => {
  const ours = new TurnkeeperError('stall', 'nothing for 30 s', { route: 'a/b', partial: 'the answer' })
  expect(redactor.fields({ error: ours })).toMatchObject({ error: { code: 'network/stall', route: 'a/b' } })
  expect(JSON.stringify(redactor.fields({ error: ours }))).not.toContain('the answer')

  const foreign = new Error('Unexpected token in "a prompt"', { cause: new TypeError('a prompt') })
  const shown = redactor.fields({ error: foreign })
  expect(shown).toMatchObject({ error: { name: 'Error', cause: { name: 'TypeError' } } })
  expect(JSON.stringify(shown)).not.toContain('a prompt')
})

test('what is circular, huge or binary is bounded', () => {
  const circular: Record<string, unknown> = { bytes: Buffer.alloc(3), text: 'x'.repeat(10_000), big: 1n }
  circular.self = circular
  const shown = JSON.stringify(redactor.fields(circular))
  expect(shown).toContain('[too deep]')
  expect(shown).toContain('[3 bytes]')
  expect(shown.length).toBeLessThan(50_000)
})

test('each masking is told once, by what gave the secret away', () => {
  const told: string[] = []
  const counting = createRedactor(['hunter22'], { onRedacted: (field) => told.push(field) })
  counting.text('hunter22, Bearer abcdefghijk, password=unheardof')
  counting.fields({ apiKey: 'x', tool: 'y' })
  expect(told).toEqual(['known_secret', 'key_form', 'named_value', 'secret_field'])
  told.length = 0
  counting.text('{"api_key":"hunter22"}')
  counting.text('nothing here')
  counting.text('cut in the middle: hunter2', { cutEnd: true })
  expect(told).toEqual(['known_secret', 'cut_edge'])
})
