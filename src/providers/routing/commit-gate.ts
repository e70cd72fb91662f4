import type { Answer, PartSink, StreamPart } from '../types.ts'

/** Holds back the parts of one attempt until its commit point, and lets nothing through after its end. */
export type CommitGate = {
  readonly push: PartSink
  /** Whether something of the attempt has been handed on. */
  isCommitted(): boolean
  /** What the attempt's parts tell about its answer. */
  facts(): AnswerFacts
  close(): void
}

export type AnswerFacts = Pick<Answer, 'model' | 'requestId' | 'finishReason'>

export type CommitGateOptions = {
  readonly emit: PartSink
  /** Called once, before the first part is handed on. */
  readonly onCommit: () => void
}

/** A gate before `emit`. The answer's end commits as its first content does. */
export function createCommitGate({ emit, onCommit }: CommitGateOptions): CommitGate {
  let held: StreamPart[] = []
  let state: 'holding' | 'committed' | 'closed' = 'holding'
  let hasCommitted = false
  let facts: AnswerFacts = { model: null, requestId: null, finishReason: null }

  const push = (part: StreamPart): void => {
    if (state === 'closed') return
    if (part.type === 'start') facts = { ...facts, model: part.model, requestId: part.requestId }
    else if (part.type === 'finish') facts = { ...facts, finishReason: part.reason }
    if (state === 'committed') {
      emit(part)
      return
    }
    held.push(part)
    if (part.type === 'start' || part.type === 'usage') return
    state = 'committed'
    hasCommitted = true
    onCommit()
    for (const waiting of held) emit(waiting)
    held = []
  }
  return {
    push,
    isCommitted: () => hasCommitted,
    facts: () => facts,
    close() {
      state = 'closed'
      held = []
    },
  }
}
