/**
 * What vendors document of their models, for those whose own lists do not say it. A price is in US dollars for a
 * million tokens at the standard tier, short context.
 *
 * Sources: https://developers.openai.com/api/docs/pricing, https://platform.claude.com/docs/en/models,
 * https://api-docs.deepseek.com/quick_start/pricing.
 */

import type { ModelInfo, Price } from './model-info.ts'

/** When this table was last held against its sources. */
export const KNOWN_MODELS_AS_OF = '2026-11-21'

type Row = {
  /**
   * With a price: the model itself and its dated versions. Without: every model whose name begins so, since a price
   * guessed from a relative is worse than none. The longest name wins.
   */
  readonly name: string
  /** Thousands of tokens. */
  readonly window?: number
  /** Thousands of tokens. */
  readonly output?: number
  /** Input, cached input, output. */
  readonly price?: readonly [number, number, number]
  readonly vision?: boolean
  readonly tools?: boolean
}

/** The rows, as the documentation shows them. */
export const KNOWN_MODELS: readonly Row[] = [
  { name: 'gpt-5.5-pro', window: 1050, output: 128, price: [30, 30, 180], vision: true, tools: true },
  { name: 'gpt-5.5', window: 1050, output: 128, price: [5, 0.5, 30], vision: true, tools: true },
  { name: 'gpt-5.4-mini', window: 400, output: 128, price: [0.75, 0.075, 4.5], vision: true, tools: true },
  { name: 'gpt-5.4-nano', window: 400, output: 128, price: [0.2, 0.02, 1.25], vision: true, tools: true },
  { name: 'gpt-5.4-pro', window: 1050, output: 128, price: [30, 30, 180], vision: true, tools: true },
  { name: 'gpt-5.4', window: 1050, output: 128, price: [2.5, 0.25, 15], vision: true, tools: true },
  { name: 'gpt-5-mini', window: 400, output: 128, price: [0.25, 0.025, 2], vision: true, tools: true },
  { name: 'gpt-5-nano', window: 400, output: 128, price: [0.05, 0.005, 0.4], vision: true, tools: true },
  { name: 'gpt-5', window: 400, output: 128, price: [1.25, 0.125, 10], vision: true, tools: true },
  { name: 'gpt-4.1-mini', window: 1047, output: 32, price: [0.4, 0.1, 1.6], vision: true, tools: true },
  { name: 'gpt-4.1-nano', window: 1047, output: 32, price: [0.1, 0.025, 0.4], vision: true, tools: true },
  { name: 'gpt-4.1', window: 1047, output: 32, price: [2, 0.5, 8], vision: true, tools: true },
  { name: 'gpt-4o-mini', window: 128, output: 16, price: [0.15, 0.075, 0.6], vision: true, tools: true },
  { name: 'gpt-4o', window: 128, output: 16, price: [2.5, 1.25, 10], vision: true, tools: true },
  { name: 'gpt-3.5-turbo', window: 16, output: 4, price: [0.5, 0.5, 1.5], vision: false, tools: true },
  { name: 'o4-mini', window: 200, output: 100, price: [1.1, 0.275, 4.4], vision: true, tools: true },
  { name: 'o3-mini', window: 200, output: 100, price: [1.1, 0.55, 4.4], vision: false, tools: true },
  { name: 'o3', window: 200, output: 100, price: [2, 0.5, 8], vision: true, tools: true },
  { name: 'gpt-5', window: 400, vision: true, tools: true },
  { name: 'gpt-4.1', vision: true, tools: true },
  { name: 'gpt-4o', vision: true, tools: true },
  { name: 'gpt-oss', window: 131, vision: false, tools: true },
  { name: 'claude-fable-5-1', window: 1000, output: 128, price: [10, 1, 50], vision: true, tools: true },
  { name: 'claude-fable-5-2', window: 1000, output: 128, price: [8, 0.8, 40], vision: true, tools: true },
  { name: 'claude-opus-5-5', window: 1000, output: 128, price: [4, 0.4, 20], vision: true, tools: true },
  { name: 'claude-opus-5', window: 1000, output: 128, price: [5, 0.5, 25], vision: true, tools: true },
  { name: 'claude-sonnet-5', window: 1000, output: 128, price: [2, 0.2, 10], vision: true, tools: true },
  { name: 'claude-opus-4-5', window: 200, output: 64, price: [5, 0.5, 25], vision: true, tools: true },
  { name: 'claude-sonnet-4-5', window: 200, output: 64, price: [3, 0.3, 15], vision: true, tools: true },
  { name: 'claude-haiku-4-5', window: 200, output: 64, price: [1, 0.1, 5], vision: true, tools: true },
  { name: 'claude-', window: 200, vision: true, tools: true },
  { name: 'deepseek-chat', window: 128, vision: false, tools: true },
  { name: 'deepseek-reasoner', window: 128, vision: false, tools: true },
  { name: 'deepseek', vision: false },
  { name: 'glm-4.6v', vision: true, tools: true },
  { name: 'glm-4.6', window: 200, vision: false, tools: true },
  { name: 'kimi-k2', vision: false, tools: true },
  { name: 'codestral', vision: false },
  { name: 'pixtral', vision: true },
  { name: 'qwen3-coder', vision: false, tools: true },
  { name: 'llava', vision: true, tools: false },
]

/** What the table has of a model, by the last part of its name: `openai/gpt-5-mini` is `gpt-5-mini`. */
export function knownModel(id: string): ModelInfo | undefined {
  const name = (id.split('/').at(-1) ?? '').toLowerCase()
  const best = KNOWN_MODELS.filter((row) => isRowOf(row, name)).toSorted(longestFirst)[0]
  return best && rowToInfo(id, best)
}

/** `-2026-03-17`, `-20250929`, `-latest`, `:free`, `@20250929`. */
const VERSION = /^(?:-\d{4}-\d{2}-\d{2}|[-@]\d{8}|-latest)?(?::[a-z0-9-]+)?$/

function isRowOf({ name: known, price }: Row, name: string): boolean {
  if (!name.startsWith(known)) return false
  return price === undefined || VERSION.test(name.slice(known.length))
}

const longestFirst = (a: Row, b: Row): number =>
  b.name.length - a.name.length || Number(b.price !== undefined) - Number(a.price !== undefined)

function rowToInfo(id: string, { window, output, price, vision, tools }: Row): ModelInfo {
  return {
    id,
    ...(window !== undefined && { contextWindow: window * 1000 }),
    ...(output !== undefined && { maxOutputTokens: output * 1000 }),
    ...(price && { price: toPrice(price) }),
    ...(vision !== undefined && { vision }),
    ...(tools !== undefined && { tools }),
  }
}

function toPrice([inputUsd, cachedInputUsd, outputUsd]: readonly [number, number, number]): Price {
  return { inputUsd, cachedInputUsd, outputUsd }
}
