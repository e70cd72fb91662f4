import type { Answer, FinishReason, StreamPart, ToolCall, Usage } from './types.ts'

/** Gathers the parts of one answer. */
export type Collector = {
  add(part: StreamPart): void
  /** What has come so far; whole once a `finish` part was added. */
  answer(): Answer
}

/** A collector for an answer of `route`. A second `start` (another attempt) begins anew. */
export function createCollector(route: string): Collector {
  let start: Pick<Answer, 'model' | 'requestId' | 'route'> = { model: null, requestId: null, route }
  let text = ''
  let reasoning = ''
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
        text = reasoning = ''
        signature = undefined
        toolCalls = []
        usage = null
        return
      case 'text':
        text += part.delta
        return
      case 'reasoning':
        reasoning += part.delta
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
      text,
      reasoning:
        reasoning === '' && signature === undefined
          ? null
          : { text: reasoning, ...(signature !== undefined && { signature }) },
      toolCalls: [...toolCalls],
      usage,
      finishReason,
      rawFinishReason,
      ...(refusal !== undefined && { refusal }),
      ...start,
    }),
  }
}
