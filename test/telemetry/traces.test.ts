import { afterEach, beforeEach, expect, test } from 'vitest'
import { TurnkeeperError } from '../../src/errors.ts'
import { createTelemetry, type RunningTelemetry } from '../../src/telemetry/create.ts'
import { ATTR } from '../../src/telemetry/semconv.ts'
import { MAX_SPANS } from '../../src/telemetry/traces/span-budget.ts'
import { captureLog } from './log-capture.ts'
import { createOtlpReceiver, type ReceivedSpan } from './otlp-receiver.ts'
import { attributesOf } from './trace-tree.ts'

let receiver: Awaited<ReturnType<typeof createOtlpReceiver>>
let telemetry: RunningTelemetry
let log: ReturnType<typeof captureLog>

async function start(overrides: { sampling?: number; otlpEndpoint?: string } = {}) {
  log = captureLog()
  return createTelemetry({
    config: {
      otlpEndpoint: receiver.endpoint,
      otlpMetrics: false,
      captureContent: false,
      sampling: 1,
      logLevel: 'debug',
      ...overrides,
    },
    service: 'gateway',
    version: '1.2.3',
    instanceId: 'test',
    logStream: log.stream,
    secrets: ['hunter22'],
  })
}

beforeEach(async () => {
  receiver = await createOtlpReceiver()
  telemetry = await start()
})
afterEach(async () => {
  await telemetry.close()
  await receiver.close()
})

async function sentSpans(): Promise<Record<string, ReceivedSpan>> {
  await telemetry.close()
  return Object.fromEntries(receiver.spans().map((span) => [span.name, span]))
}

test('spans nest as the calls do, named by operation and subject, with kind and resource', async () => {
  const answer = await telemetry.observe('invoke_agent', { [ATTR.agentName]: 'assistant' }, () =>
    telemetry.observe('chat', { [ATTR.requestModel]: 'coder', absent: undefined }, async (span) => {
      span.set({ [ATTR.usageInputTokens]: 12 })
      span.event('route.state_changed', { route: 'p/m' })
      return 'answer'
    }),
  )
  expect(answer).toBe('answer')
  const { 'invoke_agent assistant': agent, 'chat coder': chat } = await sentSpans()
  expect(chat).toMatchObject({ traceId: agent?.traceId, parentSpanId: agent?.spanId, kind: 3 })
  expect(agent).toMatchObject({ kind: 1, status: { code: 0 } })
  expect(chat?.events).toMatchObject([{ name: 'route.state_changed' }])
  expect(attributesOf(chat)).toEqual({ [ATTR.requestModel]: 'coder', [ATTR.usageInputTokens]: 12 })
  expect(receiver.paths).toEqual(['/v1/traces'])
  expect(receiver.resource()).toEqual({
    'service.name': 'turnkeeper-gateway',
    'service.version': '1.2.3',
    'service.instance.id': 'test',
  })
})

test('a trace goes on across a carrier, as parent and as link', async () => {
  const carrier = await telemetry.observe('send turns', {}, async () => telemetry.carrier())
  expect(carrier.traceparent).toMatch(/^00-[0-9a-f]{32}-[0-9a-f]{16}-01$/)
  await telemetry.observe('process turns', {}, async () => {}, { parent: carrier, links: [carrier, {}] })
  const { 'send turns': sent, 'process turns': processed } = await sentSpans()
  expect(processed).toMatchObject({ traceId: sent?.traceId, parentSpanId: sent?.spanId, kind: 5 })
  expect(processed?.links).toMatchObject([{ traceId: sent?.traceId, spanId: sent?.spanId }])
})

test('an empty carrier as parent begins a new trace, also inside a span', async () => {
  await telemetry.observe('invoke_agent', {}, () =>
    telemetry.observe('process turns', {}, async () => {}, { parent: {} }),
  )
  const { invoke_agent: agent, 'process turns': processed } = await sentSpans()
  expect(processed?.parentSpanId ?? '').toBe('')
  expect(processed?.traceId).not.toBe(agent?.traceId)
})

test('a span under a known name has the same ids in every process, and begins when it is said to', async () => {
  const startedAt = Date.now() - 60_000
  const knownAs = { trace: 'turn 7', span: 'turn 7, run 1' }
  await telemetry.observe('process turns', { n: 1 }, async () => {}, { knownAs })
  await telemetry.observe('process turns', { n: 2 }, async () => {}, { knownAs, startedAt })
  await telemetry.observe('chat', {}, async () => {})
  await telemetry.close()
  const [one, other, chat] = receiver.spans()
  expect([other?.traceId, other?.spanId]).toEqual([one?.traceId, one?.spanId])
  expect(chat?.traceId).not.toBe(one?.traceId)
  expect(Number(other?.startTimeUnixNano) / 1e6).toBeCloseTo(startedAt, -1)
})

test('beyond the bound of a trace work goes on without spans, and what failed in it is told', async () => {
  const call = (n: number) =>
    telemetry.observe('chat', {}, async (span) => {
      await telemetry.observe('POST', {}, async () => {})
      if (n === 399) span.fail('network/stall')
      return n
    })
  const answers = await telemetry.observe('process turns', {}, async () => {
    const all: number[] = []
    for (let n = 0; n < 400; n += 1) all.push(await call(n))
    return all
  })
  expect(answers.length).toBe(400)
  await telemetry.observe('chat', { after: true }, async () => {})
  await telemetry.close()
  const spans = receiver.spans()
  const root = spans.find(({ name }) => name === 'process turns')
  expect(spans.filter(({ traceId }) => traceId === root?.traceId).length).toBe(MAX_SPANS)
  expect(attributesOf(root)).toEqual({ 'spans.dropped': 801 - MAX_SPANS })
  expect(root?.events?.map((event) => [event.name, attributesOf(event)])).toEqual([
    ['span.dropped', { 'span.name': 'chat', [ATTR.errorType]: 'network/stall' }],
  ])
  expect(spans.filter((span) => attributesOf(span).after)).toHaveLength(1)
})

test('a rejection fails the span with its code, never with its message, and reaches the caller', async () => {
  const stall = new TurnkeeperError('stall', 'hunter22')
  const boom = new RangeError('a prompt')
  await expect(telemetry.observe('chat', {}, () => Promise.reject(stall))).rejects.toBe(stall)
  await expect(
    telemetry.observe('execute_tool', {}, () => {
      throw boom
    }),
  ).rejects.toBe(boom)
  const { chat, execute_tool: tool } = await sentSpans()
  expect(chat?.status).toEqual({ code: 2, message: 'network/stall' })
  expect(attributesOf(chat)).toEqual({ [ATTR.errorType]: 'network/stall' })
  expect(attributesOf(tool)).toEqual({ [ATTR.errorType]: 'RangeError' })
  expect(receiver.raw()).not.toMatch(/hunter22|a prompt/)
})

test('an expected failure is marked by hand, and a cancellation is no failure', async () => {
  await telemetry.observe('chat', {}, async (span) => span.fail('server/html_payload'))
  const cancelled = telemetry.observe('POST', {}, async () => {
    throw new TurnkeeperError('cancelled', 'by the caller')
  })
  await expect(cancelled).rejects.toThrow()
  const { chat, POST: post } = await sentSpans()
  expect(chat?.status).toEqual({ code: 2, message: 'server/html_payload' })
  expect(post?.status).toEqual({ code: 0 })
  expect(attributesOf(post)).toEqual({ cancelled: true })
})

test('a known secret in an attribute is masked', async () => {
  await telemetry.observe('chat', { route: 'p/hunter22' }, async () => {})
  expect(attributesOf((await sentSpans()).chat)).toEqual({ route: 'p/[redacted]' })
})

test('parallel work keeps its spans apart', async () => {
  const carriers = await Promise.all(
    [1, 2, 3].map((turn) =>
      telemetry.observe('process turns', { turn }, async () => {
        await new Promise((resolve) => setTimeout(resolve, 3 - turn))
        return telemetry.carrier().traceparent
      }),
    ),
  )
  expect(new Set(carriers).size).toBe(3)
})

test('log lines carry the ids of the active span, and none outside', async () => {
  await telemetry.observe('chat', {}, async () => telemetry.log.info({ route: 'p/m' }, 'rerouted'))
  telemetry.log.warn({}, 'outside')
  const { chat } = await sentSpans()
  const [inside, outside] = log.lines()
  expect(inside).toMatchObject({
    level: 'info',
    message: 'rerouted',
    route: 'p/m',
    service: 'turnkeeper-gateway',
    trace_id: chat?.traceId,
    span_id: chat?.spanId,
    trace_flags: '01',
  })
  expect(outside).toMatchObject({ level: 'warn', message: 'outside' })
  expect(outside).not.toHaveProperty('trace_id')
})

test('a sampling of 0 sends nothing, but a sampled parent is followed', async () => {
  await telemetry.close()
  telemetry = await start({ sampling: 0 })
  await telemetry.observe('chat', {}, async () => {})
  const traceparent = `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01`
  await telemetry.observe('process turns', {}, async () => {}, { parent: { traceparent } })
  const spans = await sentSpans()
  expect(Object.keys(spans)).toEqual(['process turns'])
  expect(spans['process turns']?.traceId).toBe('a'.repeat(32))
})

test('a sampling in between keeps that share of the traces, each of them whole', async () => {
  await telemetry.close()
  telemetry = await start({ sampling: 0.25 })
  for (let n = 0; n < 400; n += 1) {
    await telemetry.observe('process turns', {}, () => telemetry.observe('chat', {}, async () => {}))
  }
  await telemetry.close()
  const spans = receiver.spans()
  const kept = new Set(spans.map(({ traceId }) => traceId))
  // 100 of 400 with a standard deviation below 9
  expect(kept.size).toBeGreaterThan(40)
  expect(kept.size).toBeLessThan(160)
  expect(spans.length).toBe(2 * kept.size)
})

test('an attribute is cut where it is too long, with no secret left at the cut', async () => {
  const before = 'x'.repeat(1020)
  await telemetry.observe(
    'chat',
    { 'much.too.long': `${before} hunter22 ${'y'.repeat(9000)}` },
    async (span) => span.event('said', { 'much.too.long': 'z'.repeat(9000) }),
  )
  const { chat } = await sentSpans()
  const value = String(attributesOf(chat)['much.too.long'])
  expect(value.length).toBe(1024)
  expect(value.startsWith(before)).toBe(true)
  expect(String(attributesOf(chat?.events?.[0])['much.too.long']).length).toBe(1024)
  expect(receiver.raw()).not.toContain('hunt')
})

test('a receiver that refuses is told once in the log and stops nobody', async () => {
  await telemetry.close()
  const refusing = await createOtlpReceiver({ status: 400 })
  telemetry = await start({ otlpEndpoint: refusing.endpoint })
  await telemetry.observe('chat', {}, async () => {})
  await telemetry.close()
  await refusing.close()
  expect(log.lines().map(({ level, message }) => `${level} ${message}`)).toEqual([
    'warn traces cannot be sent: spans are dropped until the receiver answers',
  ])
})
