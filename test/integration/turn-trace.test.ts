import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { connect } from '../../src/queue/client/connect.ts'
import { MAX_SPANS } from '../../src/telemetry/traces/span-budget.ts'
import { createOtlpReceiver, type ReceivedSpan } from '../telemetry/otlp-receiver.ts'
import { attributesOf, rootsOf, traceToText } from '../telemetry/trace-tree.ts'
import { type Fleet, openFleet } from './fleet.ts'

let receiver: Awaited<ReturnType<typeof createOtlpReceiver>>
let fleet: Fleet

beforeEach(async () => {
  receiver = await createOtlpReceiver()
})
afterEach(async () => {
  await fleet.close()
  await receiver.close()
})

const open = (routes: readonly string[], upstream: object = {}) =>
  openFleet(
    {
      telemetry: { otlpEndpoint: receiver.endpoint },
      models: { coder: { routes } },
      routing: { backoff: { base: '10ms', max: '50ms' } },
    },
    upstream,
  )

/** The spans of the trace in which a turn was sent. */
function traceOfTurn(spans: readonly ReceivedSpan[]): ReceivedSpan[] {
  const traceId = spans.find(({ name }) => name === 'send turns')?.traceId
  return spans.filter((span) => span.traceId === traceId)
}

test('a turn with a retry, a reroute, two tools and a killed worker is one connected trace', async () => {
  fleet = await open(['sim/bad+html', 'sim/good'])
  const doomed = await fleet.worker()
  const client = await connect({ config: fleet.configFile })
  const file = join(fleet.folder, 'go on')
  const turn = await client.enqueue('assistant', {
    input: `call look_up with {"word": "observe", "ms": 1} call await_file with ${JSON.stringify({ path: file })}`,
  })
  // spans are sent in batches: the worker dies when its finished steps have gone out, and the run that holds them has not
  await vi.waitFor(
    () => expect(receiver.spans().map(({ name }) => name)).toContain('execute_tool look_up'),
    30_000,
  )
  await doomed.end('SIGKILL')
  const rescuer = await fleet.worker()
  writeFileSync(file, '')
  expect((await turn.result({ timeoutMs: 60_000 })).status).toBe('completed')
  await client.close()
  await rescuer.end('SIGTERM')

  const trace = traceOfTurn(receiver.spans())
  expect(rootsOf(trace).map(({ name }) => name)).toEqual(['send turns'])
  await expect(traceToText(trace)).toMatchFileSnapshot('fixtures/turn-trace.txt')
}, 120_000)

test('a worker that is killed in a model call leaves its attempts in the trace, below the call', async () => {
  fleet = await open(['sim/bad+html', 'sim/good'])
  // one answer that takes longer than the worker lives
  await fetch(`${fleet.sim.url}/_control`, {
    method: 'POST',
    body: JSON.stringify({ model: 'good', fault: 'slow:20000', times: 1 }),
  })
  const doomed = await fleet.worker()
  const client = await connect({ config: fleet.configFile })
  const turn = await client.enqueue('talker', { input: 'say "hello"' })
  await vi.waitFor(
    () => expect(receiver.spans().map(({ name }) => name)).toContain('provider_attempt'),
    30_000,
  )
  await doomed.end('SIGKILL')
  const rescuer = await fleet.worker()
  expect((await turn.result({ timeoutMs: 60_000 })).status).toBe('completed')
  await client.close()
  await rescuer.end('SIGTERM')

  const trace = traceOfTurn(receiver.spans())
  expect(rootsOf(trace).map(({ name }) => name)).toEqual(['send turns'])
  const lost = trace.find(({ name, status }) => name === 'chat coder' && status.code === 2)
  expect(lost?.status.message).toBe('worker_lost')
  const below = trace.filter(({ parentSpanId }) => parentSpanId === lost?.spanId)
  expect(below.map((span) => attributesOf(span).outcome)).toEqual(['html', 'html'])
}, 120_000)

test('a turn of 200 model calls stays within the bound of a trace and tells what is missing', async () => {
  fleet = await open(['sim/good'])
  const worker = await fleet.worker()
  const client = await connect({ config: fleet.configFile })
  const calls = Array.from({ length: 199 }, (_, n) => `call look_up with {"word": "w${n}", "ms": 0}`)
  const turn = await client.enqueue('walker', { input: calls.join(' then ') })
  const { status, steps } = await turn.result({ timeoutMs: 120_000 })
  expect([status, steps.length]).toEqual(['completed', 399])
  await client.close()
  await worker.end('SIGTERM')

  const trace = traceOfTurn(receiver.spans())
  expect(rootsOf(trace).map(({ name }) => name)).toEqual(['send turns'])
  const process = trace.find(({ name }) => name === 'process turns')
  // two around all, three a model call, one a tool call; and the one that sent it is another process's
  expect(attributesOf(process)['spans.dropped']).toBe(2 + 200 * 3 + 199 - MAX_SPANS)
  expect(trace.length).toBe(1 + MAX_SPANS)
}, 180_000)

test('a stall is an event of its attempt; a silence that ended by itself is only measured', async () => {
  fleet = await open(['sim/bad+stall:40', 'sim/good+slow:300'], { timeouts: { idle: '2s' } })
  const worker = await fleet.worker()
  const turn = await fleet.client.enqueue('talker', { input: 'say "one two three"' })
  expect((await turn.result({ timeoutMs: 60_000 })).status).toBe('completed')
  await worker.end('SIGTERM')

  const attempts = receiver.spans().filter(({ name }) => name === 'provider_attempt')
  const seen = attempts.map(({ events = [], ...span }) => ({
    outcome: attributesOf(span).outcome,
    idle: Number(attributesOf(span)['stream.idle_seconds']),
    events: events.map(({ name }) => name),
  }))
  expect(seen.map(({ outcome, events }) => [outcome, events])).toEqual([
    ['stall', ['provider.stall']],
    ['stall', ['provider.stall']],
    ['ok', []],
  ])
  const [stalled, , recovered] = seen
  expect(stalled?.idle).toBeGreaterThanOrEqual(2)
  expect(attributesOf(attempts[0]?.events?.[0])).toEqual({
    'stall.idle_seconds': stalled?.idle,
    phase: 'before_content',
  })
  expect(recovered?.idle).toBeGreaterThan(0.2)
}, 120_000)
