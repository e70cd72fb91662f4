/**
 * Reasoning items with `encrypted_content` go back verbatim, before what they led to, or a stateless reasoning
 * model starts anew: https://platform.openai.com/docs/guides/reasoning#encrypted-reasoning-items
 * They travel through us as the opaque `signature` of the reasoning.
 */

import { asArray, asObject, asText, type JsonObject, parseJson } from '../../narrow.ts'

/** The signature that stands for `items`; undefined where none of them can be sent back. */
export function itemsToSignature(items: readonly JsonObject[]): string | undefined {
  const kept = items.filter(isEncrypted)
  return kept.length === 0 ? undefined : JSON.stringify(kept)
}

/** The items that `itemsToSignature` packed; none for the signature of another vendor. */
export function signatureToItems(signature: string | undefined): readonly unknown[] {
  if (signature === undefined) return []
  return asArray(parseJson(signature)?.value).filter((item) => isEncrypted(asObject(item)))
}

function isEncrypted(item: JsonObject | undefined): boolean {
  return item?.type === 'reasoning' && asText(item.encrypted_content) !== undefined
}
