import type { Answer, FinishReason, Reasoning, StreamPart, ToolCall, Usage } from './types.ts'

/** Gathers the parts of one answer. */
export type Collector = {
  add(part: StreamPart): void
  /** What has come so far; whole once a `finish` part was added. */
  answer(): Answer
}

/** A collector for an answer of `route`. A second `start` (another attempt) begins anew. */
export function createCollector(route: string): Collector {
  let start: Pick<Answer, 'model' | 'requestId' | 'route'> = { model: null, requestId: null, route }
  let text = new GrowingText()
  let reasoning = new GrowingText()
  let signature: string | undefined
  let toolCalls: ToolCall[] = []
  let usage: Usage | null = null
  let finishReason: FinishReason | null = null
  let rawFinishReason: string | null = null
  let refusal: string | undefined

  const add = (part: StreamPart): void => {
    switch (part.type) {
      case 'start':
        start = { model: part.model, requestId: part.requestId, route: part.route }
        text = new GrowingText()
        reasoning = new GrowingText()
        signature = undefined
        toolCalls = []
        usage = null
        return
      case 'text':
        text.add(part.delta)
        return
      case 'reasoning':
        reasoning.add(part.delta)
        if (part.signature !== undefined) signature = part.signature
        return
      case 'tool_call':
        toolCalls.push({ id: part.id, name: part.name, input: part.input })
        return
      case 'usage': {
        const { type: _, ...counts } = part
        usage = counts
        return
      }
      case 'finish':
        finishReason = part.reason
        rawFinishReason = part.rawReason
        refusal = part.refusal
        return
      case 'tool_call_delta':
      case 'error':
        return
    }
  }

  return {
    add,
    answer: () => ({
      text: text.toString(),
      reasoning: toReasoning(reasoning.toString(), signature),
      toolCalls: [...toolCalls],
      usage,
      finishReason,
      rawFinishReason,
      ...(refusal !== undefined && { refusal }),
      ...start,
    }),
  }
}

function toReasoning(text: string, signature: string | undefined): Reasoning | null {
  if (text === '' && signature === undefined) return null
  return { text, ...(signature !== undefined && { signature }) }
}

/** Pieces of a growing text that are kept one by one. */
const MOST_PIECES = 32

/**
 * A text that grows by small pieces, joined now and then: `+` keeps each of them, and an object beside it, until
 * somebody reads the whole, and a scavenge copies them all (measured: a third of what outlived one).
 */
class GrowingText {
  readonly #blocks: string[] = []
  readonly #pieces: string[] = []

  add(piece: string): void {
    if (this.#pieces.push(piece) < MOST_PIECES) return
    this.#blocks.push(this.#pieces.join(''))
    this.#pieces.length = 0
  }

  toString(): string {
    return this.#blocks.join('') + this.#pieces.join('')
  }
}
