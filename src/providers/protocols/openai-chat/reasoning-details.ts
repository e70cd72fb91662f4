/**
 * OpenRouter's `reasoning_details`: typed pieces that must go back unchanged on the next request of a tool loop,
 * or signed reasoning is refused. They travel through us as the opaque `signature` of the reasoning.
 * https://openrouter.ai/docs/use-cases/reasoning-tokens#preserving-reasoning-blocks
 */

import { asArray, asObject, asText, type JsonObject, parseJson } from '../../narrow.ts'

const GROWING = ['text', 'summary', 'data'] as const

/** `known` with the pieces of one more delta: those of one index and type are one block. */
export function mergeDetails(known: readonly JsonObject[], delta: unknown): readonly JsonObject[] {
  let merged = known
  for (const item of asArray(delta)) {
    const piece = asObject(item)
    if (piece !== undefined) merged = mergePiece(merged, piece)
  }
  return merged
}

/** The details as a signature; undefined unless some of them are signed or encrypted. */
export function detailsToSignature(details: readonly JsonObject[]): string | undefined {
  const isOpaque = details.some((detail) => asText(detail.signature) ?? asText(detail.data))
  return isOpaque ? JSON.stringify(details) : undefined
}

/** The details that `detailsToSignature` packed; undefined for the signature of another vendor. */
export function signatureToDetails(signature: string): readonly unknown[] | undefined {
  const details = asArray(parseJson(signature)?.value)
  const isOurs = details.length > 0 && details.every((detail) => isReasoningType(asObject(detail)?.type))
  return isOurs ? details : undefined
}

function isReasoningType(type: unknown): boolean {
  return typeof type === 'string' && type.startsWith('reasoning.')
}

function mergePiece(known: readonly JsonObject[], piece: JsonObject): readonly JsonObject[] {
  const at = known.findLastIndex((block) => block.index === piece.index && block.type === piece.type)
  const block = known[at]
  if (block === undefined || piece.index === undefined) return [...known, piece]
  const grown: Record<string, unknown> = { ...block }
  for (const [key, value] of Object.entries(piece)) if (value !== null) grown[key] = value
  for (const key of GROWING) {
    const [before, more] = [asText(block[key]), asText(piece[key])]
    if (before !== undefined) grown[key] = before + (more ?? '')
  }
  return known.with(at, grown)
}
