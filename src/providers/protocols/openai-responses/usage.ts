import { asCount, asObject } from '../../narrow.ts'
import type { Usage } from '../../types.ts'

/** The counts of a response; undefined if it reports none. */
export function usageOf(reported: unknown): Usage | undefined {
  const usage = asObject(reported)
  const inputTokens = asCount(usage?.input_tokens)
  const outputTokens = asCount(usage?.output_tokens)
  const totalTokens = asCount(usage?.total_tokens)
  if (inputTokens === null && outputTokens === null && totalTokens === null) return undefined
  return {
    inputTokens,
    outputTokens,
    totalTokens,
    cachedInputTokens: asCount(asObject(usage?.input_tokens_details)?.cached_tokens),
    reasoningTokens: asCount(asObject(usage?.output_tokens_details)?.reasoning_tokens),
  }
}
