/** US dollars for a million tokens. */
export type Price = {
  readonly inputUsd: number
  /** Default: as any input. */
  readonly cachedInputUsd?: number
  /** Reasoning included. */
  readonly outputUsd: number
}

/** What is known of one model of one provider; what nobody said is absent. */
export type ModelInfo = {
  /** As the provider names it. */
  readonly id: string
  /** Tokens that prompt and answer share. */
  readonly contextWindow?: number
  readonly maxOutputTokens?: number
  readonly price?: Price
  /** Whether it sees images. */
  readonly vision?: boolean
  readonly tools?: boolean
  readonly jsonMode?: boolean
  readonly jsonSchema?: boolean
  /** What it takes in besides text: `image`, `audio`, `video`, `file`. */
  readonly inputs?: readonly string[]
}

/** The same with a second source below it: what the first one does not say, the second one may. */
export function mergeInfo(first: ModelInfo, second: ModelInfo | undefined): ModelInfo {
  return { ...second, ...first }
}
