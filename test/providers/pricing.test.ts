import { expect, test } from 'vitest'
import { costOf, estimateCost, sumCosts } from '../../src/providers/models/pricing.ts'
import type { Usage } from '../../src/providers/types.ts'

const price = { inputUsd: 2, cachedInputUsd: 0.5, outputUsd: 8 }
const usage = (counts: Partial<Usage>): Usage => ({
  inputTokens: null,
  outputTokens: null,
  totalTokens: null,
  cachedInputTokens: null,
  reasoningTokens: null,
  ...counts,
})

test('cached input has its own price, and reasoning is output', () => {
  const counts = {
    inputTokens: 1_000_000,
    cachedInputTokens: 400_000,
    outputTokens: 500_000,
    reasoningTokens: 300_000,
  }
  expect(costOf(price, usage(counts))).toBe(0.6 * 2 + 0.4 * 0.5 + 0.5 * 8)
})

test('reasoning that is counted besides the output is billed too', () => {
  const counts = { inputTokens: 10, outputTokens: 20, reasoningTokens: 70, totalTokens: 100 }
  expect(costOf(price, usage(counts))).toBeCloseTo((10 * 2 + 90 * 8) / 1e6, 12)
})

test('without a price for cached input it costs as any other', () => {
  const counts = { inputTokens: 100, cachedInputTokens: 50, outputTokens: 0 }
  expect(costOf({ inputUsd: 1, outputUsd: 1 }, usage(counts))).toBe(0.0001)
})

test('without a price or without counts nothing is booked', () => {
  expect(costOf(undefined, usage({ inputTokens: 1 }))).toBeUndefined()
  expect(costOf(price, null)).toBeUndefined()
  expect(costOf(price, usage({}))).toBeUndefined()
})

test('before the call the cost lies between no answer and the longest', () => {
  expect(estimateCost(price, { inputTokens: 1000, maxTokens: 1000 })).toEqual({
    leastUsd: 0.002,
    mostUsd: 0.01,
  })
})

test('a sum leaves out what is not known, and is null where nothing is', () => {
  expect(sumCosts([0.1, undefined, 0.2])).toBe(0.3)
  expect(sumCosts([undefined])).toBeNull()
})
