import { asCount, asObject } from '../../narrow.ts'
import type { Usage } from '../../types.ts'

/** The vendor's counts as far as they are known: `message_start` and `message_delta` each report some. */
export type MessageCounts = { readonly [name: string]: number }

const COUNTED = [
  'input_tokens',
  'output_tokens',
  'cache_read_input_tokens',
  'cache_creation_input_tokens',
] as const

/**
 * `known` after another report. Reports are running totals. Zeros take nothing back, unless the report counts the
 * input anew: after a compaction the cached tokens of the first report are gone.
 */
export function mergeCounts(known: MessageCounts, reported: unknown): MessageCounts {
  const usage = asObject(reported)
  if (usage === undefined) return known
  const merged: Record<string, number> = { ...known }
  const isAnew = Boolean(asCount(usage.input_tokens))
  const thinking = asObject(usage.output_tokens_details)?.thinking_tokens
  for (const name of COUNTED) note(merged, name, { value: usage[name], isAnew })
  note(merged, 'thinking_tokens', { value: thinking, isAnew })
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

type Report = { readonly value: unknown; readonly isAnew: boolean }

function note(counts: Record<string, number>, name: string, { value, isAnew }: Report): void {
  const count = asCount(value)
  if (count !== null && (count > 0 || isAnew || counts[name] === undefined)) counts[name] = count
}
