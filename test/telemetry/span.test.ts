import { context, SpanStatusCode, trace } from '@opentelemetry/api'
import { resourceFromAttributes } from '@opentelemetry/resources'
import type { ReadableSpan } from '@opentelemetry/sdk-trace'
import { afterEach, expect, test } from 'vitest'
import { exportSpansTo, type TraceExport } from '../../src/telemetry/traces/export.ts'
import { createObserve } from '../../src/telemetry/traces/observe.ts'

let closing: TraceExport | undefined
afterEach(() => closing?.close())

/** Observing with spans in memory. */
function observing({ sampling = 1, captureContent = false, secrets = ['hunter22'] } = {}) {
  const spans: ReadableSpan[] = []
  const kept = exportSpansTo(
    { export: (_batch, done) => done({ code: 0 }), shutdown: async () => {} },
    { service: 'test', version: '0', instanceId: 'test' },
  )
  closing = kept
  const sink = {
    ...kept,
    resource: resourceFromAttributes({}),
    ended: (span: ReadableSpan) => void spans.push(span),
  }
  const redactor = {
    text: (text: string) => secrets.reduce((left, secret) => left.replaceAll(secret, '***'), text),
    knownSecrets: () => secrets.length,
  }
  return { spans, ...createObserve({ sink, redactor, sampling, captureContent }) }
}

test('what a tool does to the active span through the API stands on it, redacted, and no exception text', async () => {
  const { spans, observe } = observing()
  await observe('execute_tool', {}, async () => {
    const active = trace.getActiveSpan()
    active?.setAttribute('table', 'hunter22').setAttributes({ rows: 3, tags: ['a', 'hunter22'] })
    active?.addEvent('asked', { of: 'hunter22' }).addEvent('answered', Date.now())
    active?.recordException(new RangeError('a prompt'))
    active?.setStatus({ code: SpanStatusCode.ERROR, message: 'no hunter22' })
    active?.updateName('asks hunter22')
    expect(active?.isRecording()).toBe(true)
  })
  const [span] = spans
  expect(span).toMatchObject({
    name: 'asks ***',
    attributes: { table: '***', rows: 3, tags: ['a', '***'] },
    events: [
      { name: 'asked', attributes: { of: '***' } },
      { name: 'answered', attributes: {} },
      { name: 'exception', attributes: { 'exception.type': 'RangeError' } },
    ],
    status: { code: SpanStatusCode.ERROR, message: 'no ***' },
  })
  expect(JSON.stringify(span?.events)).not.toContain('a prompt')
})

test('a text that was clean is hidden once it has become a secret', async () => {
  const secrets = ['hunter22']
  const { spans, observe } = observing({ secrets })
  await observe('chat', { 'gen_ai.request.model': 'hunter23' }, async () => {})
  secrets.push('hunter23')
  await observe('chat', { 'gen_ai.request.model': 'hunter23' }, async () => {})
  expect(spans.map(({ attributes }) => attributes['gen_ai.request.model'])).toEqual(['hunter23', '***'])
})

test('nothing changes a span that has ended, and it ends once', async () => {
  const { spans, observe } = observing()
  const late = await observe('execute_tool', {}, async () => trace.getActiveSpan())
  late?.updateName('late').addLink({ context: late.spanContext() })
  late?.setAttribute('late', true).addEvent('late').setStatus({ code: SpanStatusCode.ERROR }).end()
  expect(spans).toHaveLength(1)
  expect(spans[0]).toMatchObject({
    name: 'execute_tool',
    links: [],
    attributes: {},
    events: [],
    status: { code: SpanStatusCode.UNSET },
    ended: true,
  })
})

test('the spans of one trace lie within each other, to the microsecond', async () => {
  const { spans, observe } = observing()
  await observe('chat', {}, () => observe('provider_attempt', {}, () => observe('POST', {}, async () => {})))
  const nanos = ([seconds, rest]: [number, number]) => BigInt(seconds) * 1_000_000_000n + BigInt(rest)
  const [inner, middle, outer] = spans.map(
    ({ startTime, endTime }) => [nanos(startTime), nanos(endTime)] as const,
  )
  expect(inner![0]).toBeGreaterThanOrEqual(middle![0])
  expect(middle![0]).toBeGreaterThanOrEqual(outer![0])
  expect(inner![1]).toBeLessThanOrEqual(middle![1])
  expect(middle![1]).toBeLessThanOrEqual(outer![1])
})

test('values that others keep in the context are seen inside of our spans', async () => {
  const { observe } = observing()
  const key = Symbol('tenant')
  const outside = context.active().setValue(key, 'acme')
  await context.with(outside, () =>
    observe('chat', {}, async () => {
      expect(context.active().getValue(key)).toBe('acme')
      expect(context.active().deleteValue(key).getValue(key)).toBeUndefined()
      expect(context.active().setValue(key, 'other').getValue(key)).toBe('other')
    }),
  )
})

test('content is wanted of spans that are kept, and only where it is switched on', async () => {
  const wanted: boolean[] = []
  for (const options of [{}, { captureContent: true }, { captureContent: true, sampling: 0 }]) {
    const { observe } = observing(options)
    await observe('chat', {}, async ({ capturesContent }) => void wanted.push(capturesContent))
  }
  expect(wanted).toEqual([false, true, false])
})
