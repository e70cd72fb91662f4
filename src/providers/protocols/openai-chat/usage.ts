import { asCount, asObject, type JsonObject } from '../../narrow.ts'
import type { Usage } from '../../types.ts'

/** The counts of a chunk or body: under `usage`, or where Groq puts them, `x_groq.usage`. */
export function usageOf(body: JsonObject): Usage | undefined {
  const usage = asObject(body.usage) ?? asObject(asObject(body.x_groq)?.usage)
  if (usage === undefined) return undefined
  const input = asCount(usage.prompt_tokens)
  const output = asCount(usage.completion_tokens)
  const total = asCount(usage.total_tokens)
  if (input === null && output === null && total === null) return undefined
  const inputDetails = asObject(usage.prompt_tokens_details)
  const outputDetails = asObject(usage.completion_tokens_details)
  return {
    inputTokens: input,
    outputTokens: output,
    totalTokens: total,
    cachedInputTokens:
      asCount(inputDetails?.cached_tokens) ??
      asCount(usage.prompt_cache_hit_tokens) ??
      asCount(usage.cached_tokens),
    reasoningTokens: asCount(outputDetails?.reasoning_tokens) ?? asCount(usage.reasoning_tokens),
  }
}

/**
 * What is known after another report. Reports are running totals and never add up; a report of zeros takes
 * nothing back.
 */
export function latestUsage(known: Usage | undefined, next: Usage): Usage {
  const isZero = !next.inputTokens && !next.outputTokens && !next.totalTokens
  return known !== undefined && isZero ? known : next
}
