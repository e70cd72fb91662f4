import { asCount, asObject, type JsonObject } from '../../narrow.ts'
import type { Usage } from '../../types.ts'

/** The vendor's counts as far as they are known: `message_start` and `message_delta` each report some. */
export type MessageCounts = { readonly [name: string]: number }

const COUNTED = [
  'input_tokens',
  'output_tokens',
  'cache_read_input_tokens',
  'cache_creation_input_tokens',
] as const

/** `known` after another report. Reports are running totals; zeros and absent counts take nothing back. */
export function mergeCounts(known: MessageCounts, reported: unknown): MessageCounts {
  const usage = asObject(reported)
  if (usage === undefined) return known
  const merged: Record<string, number> = { ...known }
  for (const name of COUNTED) note(merged, name, usage[name])
  note(merged, 'thinking_tokens', thinkingTokens(usage))
  return merged
}

/**
 * Neutral usage; undefined if nothing was reported. Anthropic counts cached input beside `input_tokens`; ours
 * includes it, as everywhere else.
 */
export function countsToUsage(counts: MessageCounts): Usage | undefined {
  if (Object.keys(counts).length === 0) return undefined
  const { input_tokens, output_tokens, cache_read_input_tokens: read, thinking_tokens } = counts
  const cached = (read ?? 0) + (counts.cache_creation_input_tokens ?? 0)
  return {
    inputTokens: input_tokens === undefined ? null : input_tokens + cached,
    outputTokens: output_tokens ?? null,
    totalTokens: null,
    cachedInputTokens: read ?? null,
    reasoningTokens: thinking_tokens ?? null,
  }
}

function note(counts: Record<string, number>, name: string, value: unknown): void {
  const count = asCount(value)
  if (count !== null && (count > 0 || counts[name] === undefined)) counts[name] = count
}

function thinkingTokens(usage: JsonObject): unknown {
  return asObject(usage.output_tokens_details)?.thinking_tokens
}
