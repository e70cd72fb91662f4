/**
 * The words of the parameter tables.
 *
 * - **neutral name**: what users write (`maxTokens`); the same for every provider.
 * - **wire name**: where the value goes in one vendor's request (`options.num_predict`).
 * - **rule**: one row: what a protocol and dialect makes of one neutral parameter.
 * - **table**: the rules of one protocol and dialect; a parameter without a rule is not supported there.
 */

import type { ModelParameters } from '../types.ts'

export type ParameterName = keyof ModelParameters

export type ParameterRule = {
  /** Path in the request body, its steps separated by dots; for a process, its argument. */
  readonly wire: string
  /** `words`: one of `values`. `texts`: a list of text. */
  readonly type: 'integer' | 'number' | 'boolean' | 'words' | 'texts'
  readonly min?: number
  readonly max?: number
  /** Most items of a list. */
  readonly maxItems?: number
  readonly values?: readonly string[]
  /** Words that the vendor writes otherwise. */
  readonly spelling?: Readonly<Record<string, string | boolean>>
  /** A switch that the vendor has the other way round. */
  readonly inverted?: true
  /** Sent even where nobody asked for it. */
  readonly required?: true
  /** What must stand beside it, by path. */
  readonly beside?: Readonly<Record<string, string | boolean>>
  /** Parameters that the vendor refuses together with this one. */
  readonly excludes?: readonly ParameterName[]
  /** This parameter must be less than another one. */
  readonly below?: { readonly name: ParameterName; readonly limit: ParameterName }
  /** Means something only with tools, and is refused by several vendors without them. */
  readonly onlyWithTools?: true
  /** What a user should know, in a few words. */
  readonly note?: string
}

export type ParameterTable = Readonly<Partial<Record<ParameterName, ParameterRule>>>

/** Sent where neither the request nor the configuration says how long an answer may be. */
export const DEFAULT_MAX_TOKENS = 4096

/** Every neutral parameter, in the order of the documentation, with what it means. */
export const PARAMETERS: Readonly<Record<ParameterName, string>> = {
  maxTokens: 'most tokens of the answer',
  contextWindow: 'tokens that prompt and answer share; for servers that choose it by request',
  temperature: 'how freely words are chosen; 0 is the most likely one',
  topP: 'choose among the most likely words up to this share',
  topK: 'choose among so many words',
  minP: 'leave out words less likely than this share of the likeliest',
  stop: 'texts at which the answer ends',
  seed: 'the same seed tends to give the same answer',
  presencePenalty: 'against words that occurred',
  frequencyPenalty: 'against words, by how often they occurred',
  repeatPenalty: 'factor against repeated words; 1 is none',
  parallelToolCalls: 'whether one answer may call several tools',
  reasoningEffort: 'how much the model thinks first',
  reasoningTokens: 'most tokens of that thinking',
}

export const PARAMETER_NAMES = Object.keys(PARAMETERS) as readonly ParameterName[] // the record has exactly these keys

/** Least first. */
export const EFFORTS = [
  'none',
  'minimal',
  'low',
  'medium',
  'high',
  'xhigh',
  'max',
] as const satisfies readonly ModelParameters['reasoningEffort'][]
