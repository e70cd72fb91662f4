import { afterEach, beforeEach, expect, test } from 'vitest'
import { connect } from '../../src/queue/client/connect.ts'
import { createOtlpReceiver, type ReceivedSpan } from '../telemetry/otlp-receiver.ts'
import { attributesOf } from '../telemetry/trace-tree.ts'
import { type Fleet, openFleet } from './fleet.ts'

let receiver: Awaited<ReturnType<typeof createOtlpReceiver>>
let fleet: Fleet

beforeEach(async () => {
  receiver = await createOtlpReceiver()
  fleet = await openFleet({
    telemetry: { otlpEndpoint: receiver.endpoint },
    models: { coder: { routes: ['sim/bad+html', 'sim/good'] } },
    routing: { backoff: { base: '10ms', max: '50ms' } },
  })
})
afterEach(async () => {
  await fleet.close()
  await receiver.close()
})

/** Names of the spans from the root to `span`. */
function pathOf(span: ReceivedSpan, spans: readonly ReceivedSpan[]): string {
  const parent = spans.find((other) => other.spanId === span.parentSpanId)
  return parent ? `${pathOf(parent, spans)} > ${span.name}` : span.name
}

test('one turn is one trace across the queue, with its retry, its reroute and its tool', async () => {
  const worker = await fleet.worker()
  const client = await connect({ config: fleet.configFile })
  const turn = await client.enqueue('assistant', {
    input: 'call look_up with {"word": "s3cret-w0rd", "ms": 1}',
  })
  expect((await turn.result()).status).toBe('completed')
  await client.close()
  await worker.end('SIGTERM')

  const spans = receiver.spans()
  const own = spans.filter(
    (span) => span.traceId === spans.find(({ name }) => name === 'send turns')?.traceId,
  )
  const process = 'send turns > process turns'
  const attempt = `${process} > invoke_agent assistant > chat coder > provider_attempt`
  const counts: Record<string, number> = {}
  for (const span of own) {
    const path = pathOf(span, own)
    counts[path] = (counts[path] ?? 0) + 1
  }
  expect(counts).toMatchObject({
    'send turns': 1,
    [process]: 1,
    [`${process} > invoke_agent assistant`]: 1,
    [`${process} > invoke_agent assistant > chat coder`]: 2,
    [`${process} > invoke_agent assistant > execute_tool look_up`]: 1,
    // Once, again on the same route, then on the next one; the second call goes to the healthy route at once.
    [attempt]: 4,
    [`${attempt} > POST`]: 4,
  })
  const processed = own.find((span) => span.name === 'process turns')
  const sent = own.find((span) => span.name === 'send turns')
  expect(processed?.links).toMatchObject([{ traceId: sent?.traceId, spanId: sent?.spanId }])
  const attempts = own.filter((span) => span.name === 'provider_attempt')
  expect(attempts.map((span) => [attributesOf(span).route, span.status.code === 2])).toEqual([
    ['sim/bad+html', true],
    ['sim/bad+html', true],
    ['sim/good', false],
    ['sim/good', false],
  ])
  expect(receiver.raw()).not.toContain('s3cret-w0rd')
})

test("the caller's own trace goes on, and the worker's log lines carry its id", async () => {
  const worker = await fleet.worker()
  const traceId = '0af7651916cd43dd8448eb211c80319c'
  const turn = await fleet.client.enqueue('talker', {
    input: 'say "hello"',
    traceparent: `00-${traceId}-b7ad6b7169203331-01`,
  })
  await turn.result()
  await worker.end('SIGTERM')
  expect(
    receiver
      .spans()
      .filter((span) => span.traceId === traceId)
      .map((span) => span.name),
  ).toContain('process turns')
  const logged = worker
    .output()
    .split('\n')
    .find((line) => line.includes('turn ended'))
  expect(JSON.parse(logged as string)).toMatchObject({
    trace_id: traceId,
    turn_id: turn.id,
    state: 'completed',
  })
})

test('nothing of the trace is sent to a provider', async () => {
  await fleet.worker()
  const traceId = '0af7651916cd43dd8448eb211c80319c'
  const traceparent = `00-${traceId}-b7ad6b7169203331-01`
  const turn = await fleet.client.enqueue('talker', { input: 'say "hello"', traceparent })
  await turn.result()
  const asked = fleet.sim.log()
  const headers = asked.flatMap((request) => Object.keys(request.headers))
  expect(headers).toContain('user-agent')
  for (const name of ['traceparent', 'tracestate', 'baggage']) expect(headers).not.toContain(name)
  expect(JSON.stringify(asked)).not.toContain(traceId)
})
