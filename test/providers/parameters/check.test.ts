import { expect, test } from 'vitest'
import { checkParameters } from '../../../src/providers/parameters/check.ts'
import { wireParameters, withParameters } from '../../../src/providers/parameters/wire.ts'

const openai = { protocol: 'openai-chat', dialect: 'openai' } as const
const anthropic = { protocol: 'anthropic', dialect: 'generic' } as const

const messageOf = (parameters: object, site: Parameters<typeof checkParameters>[1] = openai) =>
  checkParameters({ ...parameters }, site).refusal?.message

test.each([
  [{ temprature: 1 }, 'parameters.temprature: unknown parameter, did you mean "temperature"?'],
  [
    { max_tokens: 5 },
    'parameters.max_tokens: unknown parameter, a vendor\'s name for "maxTokens": write that',
  ],
  [
    { num_predict: 5 },
    'parameters.num_predict: unknown parameter, a vendor\'s name for "maxTokens": write that',
  ],
  [{ num_ctx: 5 }, 'parameters.num_ctx: unknown parameter, a vendor\'s name for "contextWindow": write that'],
  [{ stop_sequences: [] }, 'a vendor\'s name for "stop"'],
  [{ top_p: 1 }, 'a vendor\'s name for "topP"'],
  [{ TopP: 1 }, 'a vendor\'s name for "topP"'],
  [{ repetition_penalty: 1 }, 'a vendor\'s name for "repeatPenalty"'],
  [{ wholly_other: 1 }, 'unknown parameter (known: maxTokens, contextWindow,'],
  [{ __proto__x: 1 }, 'unknown parameter'],
  [{ temperature: 3 }, 'parameters.temperature: expected a number from 0 to 2, got 3'],
  [{ maxTokens: '5' }, 'parameters.maxTokens: expected a whole number from 1 up, got "5"'],
  [{ topK: 5 }, 'parameters.topK: openai-chat (openai) has no such parameter'],
])('%j is refused with words that help', (parameters, words) => {
  expect(messageOf(parameters)).toContain(words)
})

test('every problem is told, one a line', () => {
  expect(messageOf({ temperature: 3, topP: 2 })?.split('\n')).toHaveLength(2)
})

test('a long text is not repeated whole', () => {
  expect(messageOf({ reasoningEffort: 'secret '.repeat(50) })?.length).toBeLessThan(200)
})

test('parameters that a vendor refuses together are refused here', () => {
  expect(messageOf({ reasoningTokens: 2000, temperature: 1 }, anthropic)).toContain('not together with')
  expect(messageOf({ reasoningTokens: 5000 }, anthropic)).toBe(
    'parameters.reasoningTokens: expected less than "maxTokens" (4096), got 5000',
  )
  expect(messageOf({ reasoningTokens: 5000, maxTokens: 6000 }, anthropic)).toBeUndefined()
})

test('warn lets go of unknown names, never of wrong values', () => {
  const site = { ...openai, unknown: 'warn' } as const
  expect(checkParameters({ topK: 1, nonsense: 1 }, site)).toEqual({ notSent: ['topK', 'nonsense'] })
  expect(messageOf({ topK: 1, temperature: 9 }, site)).toContain('parameters.temperature')
})

test('values that are undefined were not given', () => {
  expect(checkParameters({ topK: undefined }, openai)).toEqual({ notSent: [] })
})

test('nested wire names become nested objects, with what must stand beside them', () => {
  expect(wireParameters('ollama', undefined, { maxTokens: 7, contextWindow: 8192, seed: 1 }).wire).toEqual({
    options: { num_predict: 7, num_ctx: 8192, seed: 1 },
  })
  expect(wireParameters('anthropic', undefined, { reasoningTokens: 2048 }).wire).toEqual({
    max_tokens: 4096,
    thinking: { budget_tokens: 2048, type: 'enabled' },
  })
})

test('parameters join the fields that a body has in the same object, which stay as they are', () => {
  const parameters = { parallelToolCalls: false, reasoningEffort: 'high' as const }
  const { wire } = wireParameters('anthropic', undefined, parameters)
  const body = { tool_choice: { type: 'any' }, output_config: { format: {} }, max_tokens: 7 }
  expect(withParameters(body, wire)).toEqual({
    tool_choice: { type: 'any', disable_parallel_tool_use: true },
    output_config: { format: {}, effort: 'high' },
    max_tokens: 7,
  })
})

test('parallelToolCalls is sent only together with tools', () => {
  const send = (hasTools: boolean) =>
    wireParameters('openai-chat', 'openai', { parallelToolCalls: false }, { hasTools }).wire
  expect(send(true)).toHaveProperty('parallel_tool_calls', false)
  expect(send(false)).not.toHaveProperty('parallel_tool_calls')
})
