/**
 * What the conformance suite says, in neutral form, and how a wire format says it. Hand-written per protocol, so
 * that no mapper is tested against its own author's idea of a shared encoder.
 */

import type { FinishReason } from '../../../src/providers/types.ts'

export type ScriptedCall = {
  /** Absent: the upstream gives none. */
  readonly id?: string
  readonly name: string
  /** Pieces of the arguments; null: the upstream says null, or whatever comes closest. */
  readonly fragments: readonly string[] | null
}

export type Script = {
  readonly text?: readonly string[]
  readonly reasoning?: readonly string[]
  readonly refusal?: string
  readonly calls?: readonly ScriptedCall[]
  /** Pieces of calls come without their index, where the protocol allows that. */
  readonly withoutIndex?: boolean
  readonly finish?: FinishReason
  /** `every`: with every chunk, as running totals. */
  readonly usage?: 'absent' | 'normal' | 'every'
}

/** The counts of every script that has some. */
export const COUNTS = { input: 11, output: 7, cached: 4, reasoning: 3 }

export type Encoder = {
  readonly protocol: 'openai-chat' | 'openai-responses' | 'anthropic' | 'ollama'
  readonly endpoint?: string
  readonly label: string
  readonly contentType: string
  /** The raw value of each finish reason that the protocol has. */
  readonly finishes: Partial<Record<FinishReason, string>>
  /** What the protocol cannot say. */
  readonly lacks: readonly ('tools' | 'refusal' | 'cached' | 'reasoningTokens' | 'total')[]
  /** A whole answer. */
  json(script: Script): unknown
  /** The frames of a streamed answer, whole lines each; the last ones say that it is complete. */
  frames(script: Script): readonly string[]
  /** How many of the last frames have to go for the answer to be incomplete. */
  readonly endFrames: (script: Script) => number
  errorBody(message: string): unknown
  errorFrame(message: string): string
}

/** Text, joined; undefined where there is none. */
export function joined(pieces: readonly string[] | undefined): string | undefined {
  return pieces?.join('')
}

export function sse(data: unknown, event?: string): string {
  return `${event === undefined ? '' : `event: ${event}\n`}data: ${JSON.stringify(data)}\n\n`
}
