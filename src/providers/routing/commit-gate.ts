import type { Answer, PartSink, StreamPart } from '../types.ts'

/**
 * Holds back the parts of one attempt until its commit point, and its `finish` until the attempt is known to be good.
 *
 * holding ──first content──▶ open ──settle──▶ settled
 *    └──────────────────────settle───────────────▲
 *
 * G1. Nothing of an attempt that fails before its commit point comes through.
 * G2. `finish` comes through once, for a good attempt alone, and nothing after it; `error` never does.
 */
export type CommitGate = {
  readonly push: PartSink
  /** Whether something of the attempt has been handed on. */
  isCommitted(): boolean
  /** What the attempt's parts tell about its answer. */
  facts(): AnswerFacts
  /** The attempt is over. Lets the `finish` of a good one through; nothing else comes any more. */
  settle(isGood: boolean): void
}

export type AnswerFacts = Pick<Answer, 'model' | 'requestId' | 'finishReason'>

export type CommitGateOptions = {
  readonly emit: PartSink
  /** Called once, before the first content is handed on. */
  readonly onCommit: () => void
}

/** A gate before `emit`. */
export function createCommitGate({ emit, onCommit }: CommitGateOptions): CommitGate {
  let state: 'holding' | 'open' | 'settled' = 'holding'
  let held: StreamPart[] = []
  let finish: Extract<StreamPart, { type: 'finish' }> | undefined
  let hasCommitted = false
  let facts: AnswerFacts = { model: null, requestId: null, finishReason: null }

  const release = (): void => {
    hasCommitted = true
    for (const part of held) emit(part)
    held = []
  }
  const push = (part: StreamPart): void => {
    if (state === 'settled' || part.type === 'error') return
    if (part.type === 'finish') {
      finish = part
      facts = { ...facts, finishReason: part.reason }
      return
    }
    if (part.type === 'start') facts = { ...facts, model: part.model, requestId: part.requestId }
    if (state === 'open') {
      emit(part)
      return
    }
    held.push(part)
    if (part.type === 'start' || part.type === 'usage') return
    state = 'open'
    onCommit()
    release()
  }
  return {
    push,
    isCommitted: () => hasCommitted,
    facts: () => facts,
    settle(isGood) {
      if (state === 'settled') return
      state = 'settled'
      if (!isGood || finish === undefined) return
      release()
      emit(finish)
    },
  }
}
