import { describe, expect, test } from 'vitest'
import { type Reason, TurnkeeperError } from '../../../../src/errors.ts'
import { type Cell, PROBED_CELLS } from '../../../../src/providers/routing/probes/cells.ts'
import { cellToRequest, judgeProbe, judgeTraffic } from '../../../../src/providers/routing/probes/judge.ts'
import type { Answer } from '../../../../src/providers/types.ts'
import type { AttemptReport } from '../../../../src/providers/upstream.ts'

const cell = (name: string): Cell => ({
  stream: name.startsWith('stream'),
  tools: name.includes('tools'),
  format: name.endsWith('json') ? 'json' : 'text',
})
const report = (reason?: Reason, phase: AttemptReport['phase'] = 'before_content'): AttemptReport => ({
  ...{ route: 'p/a', outcome: reason ? 'failed' : 'ok', phase, streamed: true },
  ...{ usage: null, durationMs: 1, idleMs: 0 },
  ...(reason && { error: new TurnkeeperError(reason, 'scripted') }),
})
const answer = (more: Partial<Answer> = {}): Answer => ({
  ...{ text: '', reasoning: null, toolCalls: [], usage: null, finishReason: 'stop', rawFinishReason: 'stop' },
  ...{ model: null, requestId: null, route: 'p/a', ...more },
})
const called = (input: unknown) => answer({ toolCalls: [{ id: 'c', name: 'turnkeeper_noop', input }] })

describe('an answer to a probe', () => {
  test.each([
    ['whole', answer({ text: 'OK' }), 'ok', ''],
    ['stream', answer({ reasoning: { text: 'hm' } }), 'ok', ''],
    ['whole', answer(), 'failed', 'no_content'],
    ['stream+tools', called({ note: 'probe' }), 'ok', ''],
    ['stream+tools', called('{"note'), 'failed', 'no_tool_call'],
    ['stream+tools', answer({ text: 'I would call it.' }), 'failed', 'no_tool_call'],
    ['whole+json', answer({ text: '{"ok": true}' }), 'ok', ''],
    ['whole+json', answer({ text: '```json\n{"ok": true}\n```' }), 'failed', 'not_json'],
    ['whole+tools+json', called({}), 'ok', ''],
    ['whole+tools+json', answer({ text: '{"ok": true}' }), 'ok', ''],
  ] as const)('of %s: %#', (name, said, verdict, code) => {
    expect(judgeProbe(cell(name), report(), said)).toEqual({ verdict, code })
  })

  test.each([
    ['stream+tools', 'truncated_stream', 'broken'],
    ['stream+tools', 'invalid_tool_arguments', 'broken'],
    ['stream', 'stall', 'broken'],
    ['whole', 'stall', 'failed'],
    ['whole', 'html_payload', 'failed'],
    ['stream', 'html_payload', 'broken'],
    ['whole+tools', 'invalid_request', 'refused'],
    ['whole+tools', 'capability_missing', 'refused'],
    ['whole', 'model_not_found', 'failed'],
    ['stream+tools', 'server_error', 'failed'],
    ['stream+tools', 'rate_limited', 'failed'],
    ['stream+tools', 'invalid_key', 'failed'],
    ['stream+tools', 'connection', 'failed'],
  ] as const)('of %s that ends with %s is %s', (name, reason, verdict) => {
    expect(judgeProbe(cell(name), report(reason), answer()).verdict).toBe(verdict)
  })
})

describe('a real call', () => {
  const seen = (name: string, made: AttemptReport, finishReason: Answer['finishReason'] = 'stop') =>
    judgeTraffic({ cell: cell(name), report: made, finishReason, isFormatRefused: false })

  test('shows a stream of tool turns safe only where it has called a tool', () => {
    expect(seen('stream+tools', report(), 'tool_calls')).toBe('ok')
    expect(seen('stream+tools', report(), 'stop')).toBeUndefined()
    expect(seen('stream', report())).toBe('ok')
  })

  test('shows a stream broken only where the stream itself was at fault', () => {
    expect(seen('stream+tools', report('sse_parse'))).toBe('broken')
    expect(seen('stream+tools', report('truncated_stream', 'after_content'))).toBe('broken')
    expect(seen('stream+tools', report('stall', 'before_headers'))).toBeUndefined()
    for (const reason of [
      'server_error',
      'html_payload',
      'rate_limited',
      'connection',
      'invalid_key',
    ] as const)
      expect(seen('stream+tools', report(reason))).toBeUndefined()
    expect(seen('whole+tools', report('stall'))).toBeUndefined()
    expect(seen('stream', { ...report('stall'), outcome: 'cancelled' })).toBeUndefined()
  })
})

test('a probe leaves room for a reasoning model, and chooses no tool, which not all protocols can', () => {
  for (const request of PROBED_CELLS.map(cellToRequest)) {
    expect(request.parameters?.maxTokens).toBeGreaterThanOrEqual(512)
    expect(request).not.toHaveProperty('toolChoice')
  }
})
