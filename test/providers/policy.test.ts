import { describe, expect, test } from 'vitest'
import { TurnkeeperError } from '../../src/errors.ts'
import { decideTransport, type Lesson, lessonOf, type StreamPolicy } from '../../src/providers/policy.ts'
import { type CellName, cellName, type Verdict } from '../../src/providers/routing/probes/cells.ts'
import type { ModelRequest } from '../../src/providers/types.ts'
import type { AttemptReport } from '../../src/providers/upstream.ts'

const plain: ModelRequest = { messages: [{ role: 'user', content: 'Hello.' }] }
const withTools: ModelRequest = { ...plain, tools: [{ name: 't', description: '', inputSchema: {} }] }
const asJson: ModelRequest = {
  ...plain,
  responseFormat: { type: 'json_schema', name: 'city', schema: { type: 'object' } },
}
const policyOf = (toolTurns: StreamPolicy['toolTurns'] = 'auto'): StreamPolicy => ({
  toolTurns,
  jsonFallback: true,
})

function decide(
  request: ModelRequest,
  policy = policyOf(),
  shown: Readonly<Record<CellName, Verdict>> = {},
  ...lessons: Lesson[]
) {
  return decideTransport(request, {
    policy,
    lessons: new Set(lessons),
    shown: (cell) => shown[cellName(cell)],
  })
}

describe('a request', () => {
  test('without tools is streamed', () => {
    expect(decide(plain)).toMatchObject({ stream: true, reasons: [] })
    expect(decide(plain, policyOf(false))).toMatchObject({ stream: true, reasons: [] })
  })

  test('with tools is streamed only where the configuration or a probe says so', () => {
    expect(decide(withTools)).toMatchObject({ stream: false, reasons: ['tool_turn'] })
    expect(decide(withTools, policyOf(false))).toMatchObject({ stream: false, reasons: ['tool_turn'] })
    expect(decide(withTools, policyOf(true))).toMatchObject({ stream: true, reasons: [] })
    expect(decide(withTools, policyOf(), { 'stream+tools': 'ok' })).toMatchObject({
      stream: true,
      reasons: ['tools_shown_safe'],
    })
  })

  test('is asked whole where its streams are shown broken, unless the configuration says otherwise', () => {
    const shown = { 'stream+tools': 'broken' } as const
    expect(decide(withTools, policyOf(), shown)).toMatchObject({
      stream: false,
      reasons: ['tools_shown_broken'],
    })
    expect(decide(withTools, policyOf(true), shown)).toMatchObject({ stream: true, reasons: [] })
    expect(decide(plain, policyOf(), shown)).toMatchObject({ stream: true, reasons: [] })
    expect(decide(plain, policyOf(), { stream: 'broken' })).toMatchObject({
      stream: false,
      reasons: ['stream_shown_broken'],
    })
  })

  test('is put into plain words at once where its format is shown refused, and only where that is allowed', () => {
    const shown = { 'whole+json_schema': 'refused' } as const
    const { request, reasons } = decide(asJson, policyOf(), shown)
    expect(reasons).toEqual(['json_shown_refused'])
    expect(request).not.toHaveProperty('responseFormat')
    const kept = decide(asJson, { ...policyOf(), jsonFallback: false }, shown)
    expect(kept.request).toHaveProperty('responseFormat')
    expect(decide(asJson, policyOf(), { ...shown, 'stream+json_schema': 'ok' }).reasons).toEqual([])
    expect(decide(plain, policyOf(), shown).reasons).toEqual([])
  })

  test('is asked whole after its stream could not be read', () => {
    expect(decide(plain, policyOf(), {}, 'unreadable_stream')).toMatchObject({
      stream: false,
      reasons: ['sse_parse'],
    })
  })

  test('is put into plain words after its format was refused', () => {
    const { request, reasons } = decide(asJson, policyOf(), {}, 'format_refused')
    expect(reasons).toEqual(['json_fallback'])
    expect(request).not.toHaveProperty('responseFormat')
    expect(request.messages.at(-1)).toMatchObject({
      role: 'system',
      content: expect.stringContaining('{"type":"object"}'),
    })
  })
})

describe('a failed attempt', () => {
  const failed = (
    reason: 'sse_parse' | 'invalid_request' | 'capability_missing',
    said = '',
  ): AttemptReport => ({
    route: 'p/a',
    outcome: 'failed',
    error: new TurnkeeperError(reason, 'scripted'),
    phase: 'before_content',
    streamed: true,
    excerpt: Buffer.from(said),
    usage: null,
    durationMs: 1,
    idleMs: 0,
  })
  const refused = failed(
    'invalid_request',
    '{"error":{"message":"response_format json_schema is not supported"}}',
  )

  test('teaches that a stream is unreadable, once', () => {
    expect(lessonOf(failed('sse_parse'), decide(plain), policyOf())).toBe('unreadable_stream')
    const again = decide(plain, policyOf(), {}, 'unreadable_stream')
    expect(lessonOf(failed('sse_parse'), again, policyOf())).toBeUndefined()
  })

  test('teaches that a format is refused, where the upstream names it, once, and only where that is allowed', () => {
    expect(lessonOf(refused, decide(asJson), policyOf())).toBe('format_refused')
    expect(lessonOf(failed('invalid_request', 'bad temperature'), decide(asJson), policyOf())).toBeUndefined()
    expect(lessonOf(refused, decide(plain), policyOf())).toBeUndefined()
    expect(lessonOf(refused, decide(asJson, policyOf(), {}, 'format_refused'), policyOf())).toBeUndefined()
    expect(lessonOf(refused, decide(asJson), { jsonFallback: false })).toBeUndefined()
  })
})
