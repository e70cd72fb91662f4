import type { Usage } from '../types.ts'
import type { Price } from './model-info.ts'

const MILLION = 1_000_000

/**
 * What an answer cost in US dollars: cached input at its own price, reasoning as output. Undefined where the price or
 * the counts are not known.
 */
export function costOf(price: Price | undefined, usage: Usage | null): number | undefined {
  if (price === undefined || usage === null) return undefined
  const { inputTokens, outputTokens, cachedInputTokens } = usage
  if (inputTokens === null && outputTokens === null) return undefined
  const input = inputTokens ?? 0
  const cached = Math.min(cachedInputTokens ?? 0, input)
  const { inputUsd, cachedInputUsd = inputUsd, outputUsd } = price
  const fresh = (input - cached) * inputUsd
  const total = fresh + cached * cachedInputUsd + billedOutput(usage) * outputUsd
  return rounded(total / MILLION)
}

/** Before the call: from an answer of no length to one of the longest. */
export type CostEstimate = { readonly leastUsd: number; readonly mostUsd: number }

/** What a prompt of `inputTokens` and an answer of at most `maxTokens` may cost. */
export function estimateCost(
  { inputUsd, outputUsd }: Price,
  { inputTokens, maxTokens }: { readonly inputTokens: number; readonly maxTokens: number },
): CostEstimate {
  const leastUsd = (inputTokens * inputUsd) / MILLION
  return { leastUsd: rounded(leastUsd), mostUsd: rounded(leastUsd + (maxTokens * outputUsd) / MILLION) }
}

/** The sum of what is known; null where nothing is. */
export function sumCosts(costs: Iterable<number | undefined>): number | null {
  const known = [...costs].filter((cost) => cost !== undefined)
  return known.length === 0 ? null : rounded(known.reduce((sum, cost) => sum + cost, 0))
}

/**
 * Most vendors count reasoning as part of the output; xAI reports it besides, which its total gives away
 * (total = input + output + reasoning).
 */
function billedOutput({ inputTokens, outputTokens, totalTokens, reasoningTokens }: Usage): number {
  const output = outputTokens ?? 0
  const reasoning = reasoningTokens ?? 0
  const isBesides = totalTokens !== null && totalTokens === (inputTokens ?? 0) + output + reasoning
  return isBesides ? output + reasoning : output
}

/** Sums of cents must not end in ...0000004. */
const rounded = (usd: number): number => Number(usd.toPrecision(12))

/** One number for the strategy `cheapest`: agents read about three times what they write. */
export function blendedPrice(price: Price | undefined): number | undefined {
  return price && (3 * price.inputUsd + price.outputUsd) / 4
}
