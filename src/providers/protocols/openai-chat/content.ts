import { asArray, asObject, asText, type JsonObject } from '../../narrow.ts'

/** What a delta or message says, in our words. Empty strings where it says nothing. */
export type SaidContent = {
  readonly text: string
  readonly reasoning: string
  readonly refusal: string
}

/** Reads `content` as a string or a list of parts, and reasoning under any of its names. */
export function contentOf(delta: JsonObject): SaidContent {
  const content = delta.content
  const plain = typeof content === 'string' ? content : ''
  const parts = Array.isArray(content) ? partsOf(content) : undefined
  return {
    text: parts ? parts.text : plain,
    reasoning: (parts?.reasoning ?? '') + reasoningOf(delta),
    refusal: (asText(delta.refusal) ?? '') + (parts?.refusal ?? ''),
  }
}

/** DeepSeek and most servers say `reasoning_content`, OpenRouter, Groq and newer vLLM `reasoning`. */
function reasoningOf(delta: JsonObject): string {
  const named = asText(delta.reasoning_content) ?? asText(delta.reasoning) ?? asText(delta.thinking)
  if (named !== undefined) return named
  const details = delta.reasoning_details
  if (details === undefined) return ''
  return asArray(details).reduce<string>((text, item) => {
    const detail = asObject(item)
    return text + (asText(detail?.text) ?? asText(detail?.summary) ?? '')
  }, '')
}

/** Mistral's lists of parts: `text` to text, `thinking` to reasoning, references and the unknown to nothing. */
function partsOf(parts: readonly unknown[]): SaidContent {
  let text = ''
  let reasoning = ''
  let refusal = ''
  for (const item of parts) {
    if (typeof item === 'string') text += item
    const part = asObject(item)
    if (part === undefined) continue
    if (part.type === 'thinking' || part.type === 'reasoning') reasoning += thinkingOf(part)
    else if (part.type === 'refusal') refusal += asText(part.refusal) ?? ''
    else text += asText(part.text) ?? ''
  }
  return { text, reasoning, refusal }
}

function thinkingOf(part: JsonObject): string {
  const thinking = part.thinking ?? part.text
  return typeof thinking === 'string' ? thinking : partsOf(asArray(thinking)).text
}
