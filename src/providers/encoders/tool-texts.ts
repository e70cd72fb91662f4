/**
 * Follows the tool calls of one answer, for protocols that need to know where each one stands.
 *
 * The text of a call is what its deltas said; a call that came without any has its input as JSON, all at once.
 * A call begins with the first text of its arguments: until then its name may still grow.
 */

import { parseJson } from '../narrow.ts'
import type { StreamPart, ToolCall } from '../types.ts'

type ToolPart = Extract<StreamPart, { type: 'tool_call' | 'tool_call_delta' }>

/** What one part adds to a call. */
export type ToolStep = {
  readonly index: number
  /** The call begins with this step. */
  readonly isNew: boolean
  readonly id: string
  readonly name: string
  /** Argument text that is new with this part; may be empty. */
  readonly delta: string
  /** All argument text so far. */
  readonly text: string
  /** Nothing more comes for this call. */
  readonly isDone: boolean
}

/** `step` gives undefined while a call has not begun. */
export type ToolTexts = { step(part: ToolPart): ToolStep | undefined }

type Known = { id: string; name: string; text: string; hasBegun: boolean }

/** An empty record. */
export function createToolTexts(): ToolTexts {
  const calls = new Map<number, Known>()
  return {
    step(part) {
      const call = calls.get(part.index) ?? { id: '', name: '', text: '', hasBegun: false }
      calls.set(part.index, call)
      if (part.id !== undefined) call.id = part.id
      if (part.name !== undefined) call.name = part.name
      const isDone = part.type === 'tool_call'
      const delta = part.type === 'tool_call_delta' ? part.delta : call.text.trim() === '' ? textOf(part) : ''
      call.text += delta
      const isNew = !call.hasBegun
      if (isNew && call.text === '' && !isDone) return undefined
      call.hasBegun = true
      const { id, name, text } = call
      return { index: part.index, isNew, id, name, text, isDone, delta: isNew ? text : delta }
    },
  }
}

/** The arguments of a call as wire formats with text arguments have them; free-form input stays as it is. */
export function textOf({ input }: Pick<ToolCall, 'input'>): string {
  return typeof input === 'string' ? input : JSON.stringify(input ?? {})
}

/** Whether the argument text of a call can take no more. */
export function isWhole(text: string): boolean {
  return text.trimEnd().endsWith('}') && parseJson(text) !== undefined
}
