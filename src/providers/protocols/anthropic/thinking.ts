/**
 * Thinking blocks must go back unchanged within a tool loop, or the request is refused:
 * https://platform.claude.com/docs/en/build-with-claude/extended-thinking#preserving-thinking-blocks
 *
 * They travel through us as the opaque `signature` of the reasoning: one signed block as the signature that it
 * came with, anything more (several blocks, redacted ones) as the JSON of all blocks.
 */

import { asArray, asObject, asText, type JsonObject, parseJson } from '../../narrow.ts'
import type { Reasoning } from '../../types.ts'

export type ThinkingBlock =
  | { readonly type: 'thinking'; readonly thinking: string; readonly signature: string }
  | { readonly type: 'redacted_thinking'; readonly data: string }

/** The signature that stands for `blocks`; undefined where nothing is signed. */
export function blocksToSignature(blocks: readonly ThinkingBlock[]): string | undefined {
  const kept = blocks.filter((block) => block.type === 'redacted_thinking' || block.signature !== '')
  const [first] = kept
  if (first === undefined) return undefined
  return kept.length === 1 && first.type === 'thinking' ? first.signature : JSON.stringify(kept)
}

/** The blocks to send back. Unsigned reasoning, and that of other vendors, is left out: it would be refused. */
export function reasoningToBlocks({ text, signature }: Reasoning): readonly unknown[] {
  if (signature === undefined || signature === '') return []
  const packed = parseJson(signature)?.value
  // The text may be empty: some models sign what they do not show.
  if (packed === undefined) return [{ type: 'thinking', thinking: text, signature }]
  return asArray(packed).filter(isSigned)
}

/** The reasoning that `blocks` of a request stand for; undefined if there are none. */
export function blocksToReasoning(blocks: readonly ThinkingBlock[]): Reasoning | undefined {
  if (blocks.length === 0) return undefined
  const text = blocks.map((block) => (block.type === 'thinking' ? block.thinking : '')).join('')
  const signature = blocksToSignature(blocks)
  return { text, ...(signature !== undefined && { signature }) }
}

/** A thinking block of a request; undefined for every other block. */
export function toThinkingBlock(block: JsonObject | undefined): ThinkingBlock | undefined {
  if (block?.type === 'redacted_thinking') {
    const data = asText(block.data)
    return data === undefined ? undefined : { type: 'redacted_thinking', data }
  }
  if (block?.type !== 'thinking') return undefined
  return {
    type: 'thinking',
    thinking: asText(block.thinking) ?? '',
    signature: asText(block.signature) ?? '',
  }
}

function isSigned(value: unknown): boolean {
  const block = toThinkingBlock(asObject(value))
  return block?.type === 'redacted_thinking' || Boolean(block?.signature)
}
