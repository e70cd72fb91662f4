import { inspect } from 'node:util'
import { expect, test } from 'vitest'
import { Secret } from '../../src/config/secret.ts'

test('a secret shows only a mask in text, JSON and inspection, and its value when asked', () => {
  const secret = new Secret('sk-real')
  const shown = [`${secret}`, JSON.stringify({ secret }), inspect({ secret }), String(Object.entries(secret))]
  expect(shown.join()).not.toContain('sk-real')
  expect(secret.reveal()).toBe('sk-real')
})
