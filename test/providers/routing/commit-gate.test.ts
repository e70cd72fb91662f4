import { expect, test } from 'vitest'
import { createCommitGate } from '../../../src/providers/routing/commit-gate.ts'
import type { StreamPart } from '../../../src/providers/types.ts'

const START: StreamPart = { type: 'start', requestId: 'r', model: 'm', route: 'p/a' }
const TEXT: StreamPart = { type: 'text', delta: 'x' }
const USAGE: StreamPart = {
  type: 'usage',
  inputTokens: 1,
  outputTokens: 1,
  totalTokens: 2,
  cachedInputTokens: null,
  reasoningTokens: null,
}
const FINISH: StreamPart = { type: 'finish', reason: 'stop', rawReason: 'stop' }

function gate() {
  const seen: string[] = []
  const made = createCommitGate({
    emit: ({ type }) => seen.push(type),
    onCommit: () => seen.push('commit'),
  })
  const push = (...parts: StreamPart[]): void => parts.forEach(made.push)
  return { ...made, push, seen }
}

test('start and usage wait for the first content (G1)', () => {
  const { push, seen, isCommitted } = gate()
  push(START, USAGE)
  expect([seen, isCommitted()]).toEqual([[], false])
  push(TEXT)
  expect([seen, isCommitted()]).toEqual([['commit', 'start', 'usage', 'text'], true])
})

test('an attempt that fails before its content leaves nothing (G1)', () => {
  const { push, seen, settle, isCommitted } = gate()
  push(START, USAGE)
  settle(false)
  expect([seen, isCommitted()]).toEqual([[], false])
})

test('finish waits for the verdict, and nothing follows it (G2)', () => {
  const { push, seen, settle } = gate()
  push(START, TEXT, FINISH, USAGE)
  expect(seen).toEqual(['commit', 'start', 'text', 'usage'])
  settle(true)
  push(TEXT, FINISH)
  settle(true)
  expect(seen).toEqual(['commit', 'start', 'text', 'usage', 'finish'])
})

test('the finish of an attempt that failed after all never comes through (G2)', () => {
  const { push, seen, settle } = gate()
  push(START, TEXT, FINISH)
  settle(false)
  expect(seen).toEqual(['commit', 'start', 'text'])
})

test('an answer without content is whole with its finish', () => {
  const { push, seen, settle, facts } = gate()
  push(START, FINISH)
  settle(true)
  expect(seen).toEqual(['start', 'finish'])
  expect(facts()).toEqual({ model: 'm', requestId: 'r', finishReason: 'stop' })
})
