import { describe, expect, test } from 'vitest'
import { neededBy, withoutImages } from '../../../src/providers/capabilities/capability.ts'
import { capabilitiesOf } from '../../../src/providers/capabilities/registry.ts'
import { knownModel } from '../../../src/providers/models/known-models.ts'
import type { ModelRequest } from '../../../src/providers/types.ts'

const of = (id: string, dialect = 'openai') =>
  capabilitiesOf({ protocol: 'openai-chat', dialect, model: knownModel(id) ?? { id } })

test('a model of the table is known with its window', () => {
  const can = of('gpt-5-mini')
  expect(can).toMatchObject({
    vision: { can: true },
    tools: { can: true },
    extended_context: { can: true, note: '400000 tokens' },
    token_counting: { can: true, note: 'exact' },
    cost_tracking: { can: true },
    contextWindow: 400_000,
  })
})

test('what nobody has said is null, not false', () => {
  const can = of('some-new-model', 'generic')
  expect(can).toMatchObject({ vision: { can: null }, tools: { can: null }, contextWindow: null })
  expect(can.cost_tracking.can).toBe(false)
})

test("a provider's list is believed before the format, but not where the format cannot carry it", () => {
  const model = { id: 'm', vision: true, tools: true }
  expect(capabilitiesOf({ protocol: 'openai-chat', dialect: 'generic', model })).toMatchObject({
    vision: { can: true },
  })
  expect(capabilitiesOf({ protocol: 'llamacpp-cli', dialect: 'generic', model })).toMatchObject({
    vision: { can: false },
    tools: { can: false },
  })
})

describe('the table of known models', () => {
  test.each([
    ['gpt-5-mini-2025-08-07', 0.25],
    ['openai/gpt-5-mini', 0.25],
    ['claude-sonnet-4-5-20250929', 3],
    ['claude-opus-5-5', 4],
  ])('%s has a price', (id, inputUsd) => {
    expect(knownModel(id)?.price?.inputUsd).toBe(inputUsd)
  })

  test.each(['gpt-5.9-mini', 'gpt-5-mini-turbo', 'claude-next'])(
    '%s is seeing but has no guessed price',
    (id) => {
      expect(knownModel(id)).toMatchObject({ vision: true })
      expect(knownModel(id)?.price).toBeUndefined()
    },
  )
})

test('a request says what it needs, and can be sent without its images', () => {
  const request: ModelRequest = {
    messages: [
      { role: 'tool', toolCallId: '1', name: 't', content: [{ type: 'image', url: 'https://x/y.png' }] },
    ],
    tools: [{ name: 't', description: '', inputSchema: {} }],
  }
  expect(neededBy(request)).toEqual(['vision', 'tools'])
  expect(neededBy(withoutImages(request))).toEqual(['tools'])
})
