/**
 * Tokens before the call. Exact for models whose tokenizer is public (OpenAI's); for others the same tokenizer and a
 * factor of ours, documented in `docs/providers.md`.
 */

import type { ContentPart, Message, ModelRequest } from '../types.ts'

export type TokenCount = {
  /** The best estimate. */
  readonly tokens: number
  /** The least that it may be: what a refusal is based on. */
  readonly atLeast: number
  /** Whether the model's own tokenizer counted; the few tokens around each message are estimated either way. */
  readonly isExact: boolean
}

type Encoding = 'o200k_base' | 'cl100k_base'

type Row = {
  readonly family: RegExp
  readonly encoding: Encoding
  /** Tokens of the model for each token of the encoding. */
  readonly factor: number
}

/** The first row that fits the model's name. */
export const TOKENIZERS: readonly Row[] = [
  { family: /^(gpt-4-|gpt-4$|gpt-3\.5|text-)/, encoding: 'cl100k_base', factor: 1 },
  { family: /^(gpt-|o\d|chatgpt|codex)/, encoding: 'o200k_base', factor: 1 },
  // Anthropic publishes no tokenizer; its newer one makes up to a third more tokens of the same text.
  { family: /^claude/, encoding: 'o200k_base', factor: 1.3 },
  { family: /^(deepseek|qwen|glm|kimi)/, encoding: 'o200k_base', factor: 1.1 },
  {
    family: /^(llama|mistral|ministral|codestral|magistral|devstral|mixtral|gemma)/,
    encoding: 'o200k_base',
    factor: 1.15,
  },
  { family: /(?:)/, encoding: 'o200k_base', factor: 1.2 },
]

/** Around each message (https://github.com/openai/openai-cookbook, "How to count tokens with tiktoken"). */
const TOKENS_A_MESSAGE = 4
/** An image of about a megapixel; vendors count by its size, which we do not know. */
const TOKENS_AN_IMAGE = 800

/** Counts the prompt of a request for a model, by its name; loads the tokenizer at its first use. */
export async function countTokens(model: string, request: ModelRequest): Promise<TokenCount> {
  const name = (model.split('/').at(-1) ?? '').toLowerCase()
  const { encoding, factor } = TOKENIZERS.find(({ family }) => family.test(name)) ?? TOKENIZERS.at(-1)!
  const count = await loadCounter(encoding)
  const counted = textsOf(request).reduce((sum, text) => sum + count(text), 0)
  const images = imagesOf(request)
  const around = request.messages.length * TOKENS_A_MESSAGE
  return {
    tokens: Math.ceil(counted * factor) + around + images * TOKENS_AN_IMAGE,
    atLeast: factor === 1 ? counted : Math.floor(counted / factor),
    isExact: factor === 1 && images === 0,
  }
}

/**
 * More tokens than this the prompt cannot have: no tokenizer makes more tokens than there are bytes. Costs no
 * tokenizer, so that a request that fits anyway is never counted.
 */
export function mostTokens(request: ModelRequest): number {
  const bytes = textsOf(request).reduce((sum, text) => sum + Buffer.byteLength(text), 0)
  return bytes + request.messages.length * TOKENS_A_MESSAGE + imagesOf(request) * TOKENS_AN_IMAGE
}

async function loadCounter(encoding: Encoding): Promise<(text: string) => number> {
  const { countTokens: count } =
    encoding === 'o200k_base'
      ? await import('gpt-tokenizer/encoding/o200k_base')
      : await import('gpt-tokenizer/encoding/cl100k_base')
  // A special token in somebody's text is text.
  return (text) => count(text, { disallowedSpecial: new Set() })
}

function textsOf({ messages, tools = [], responseFormat }: ModelRequest): string[] {
  return [
    ...messages.flatMap(textsOfMessage),
    ...tools.map((tool) => JSON.stringify(tool)),
    ...(responseFormat?.type === 'json_schema' ? [JSON.stringify(responseFormat.schema)] : []),
  ]
}

function textsOfMessage(message: Message): string[] {
  if (message.role !== 'assistant') return contentOf(message.content).flatMap(textOf)
  const { content, reasoning, toolCalls = [] } = message
  return [
    content,
    reasoning?.text ?? '',
    ...toolCalls.map(({ name, input }) => name + JSON.stringify(input ?? {})),
  ]
}

function imagesOf({ messages }: ModelRequest): number {
  return messages.flatMap((message) =>
    message.role === 'assistant' ? [] : contentOf(message.content).filter(({ type }) => type === 'image'),
  ).length
}

function contentOf(content: string | readonly ContentPart[]): readonly ContentPart[] {
  return typeof content === 'string' ? [{ type: 'text', text: content }] : content
}

function textOf(part: ContentPart): string[] {
  return part.type === 'text' ? [part.text] : []
}
