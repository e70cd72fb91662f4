import type { TurnUsage } from '../../queue/types.ts'

/** The sum of two usages; a count that only one of them reports is taken as it is. */
export function addUsage(sum: TurnUsage, more: TurnUsage | null): TurnUsage {
  if (more === null) return sum
  return {
    inputTokens: add(sum.inputTokens, more.inputTokens),
    outputTokens: add(sum.outputTokens, more.outputTokens),
    totalTokens: add(sum.totalTokens, more.totalTokens),
    cachedInputTokens: add(sum.cachedInputTokens, more.cachedInputTokens),
    reasoningTokens: add(sum.reasoningTokens, more.reasoningTokens),
  }
}

function add(a: number | null, b: number | null): number | null {
  return a === null && b === null ? null : (a ?? 0) + (b ?? 0)
}
