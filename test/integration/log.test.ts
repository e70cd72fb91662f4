import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { createOtlpReceiver } from '../telemetry/otlp-receiver.ts'
import { type Fleet, openFleet, type Started } from './fleet.ts'

type Line = Readonly<Record<string, unknown>>

let fleet: Fleet
let receiver: Awaited<ReturnType<typeof createOtlpReceiver>>

beforeEach(async () => {
  receiver = await createOtlpReceiver()
  fleet = await openFleet({
    telemetry: { otlpEndpoint: receiver.endpoint },
    models: { coder: { routes: ['sim/bad+html', 'sim/good'] }, good: { routes: ['sim/good'] } },
    routing: { backoff: { base: '10ms', max: '50ms' } },
    breakers: { html: { over: 1, minRatio: 0 } },
  })
})
afterEach(async () => {
  await fleet.close()
  await receiver.close()
})

async function startWorker(...flags: readonly string[]): Promise<Started> {
  const worker = fleet.start('worker', ...flags)
  await worker.match(/takes turns/)
  return worker
}

async function runTurn(options: { input: string; model?: string }): Promise<string> {
  const turn = await fleet.client.enqueue('talker', options)
  expect((await turn.result({ timeoutMs: 30_000 })).status).toBe('completed')
  return turn.id
}

/** The lines of the log among what a process has printed; each is one JSON object. */
const linesOf = (worker: Started): Line[] =>
  worker
    .output()
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line) as Line)

describe('the log of a worker', () => {
  test('is one line for each transition and each failed attempt, with the ids of the trace', async () => {
    const worker = await startWorker('--log-level', 'debug')
    const turnId = await runTurn({ input: 'say "hello"' })
    await worker.match(/route opened/)
    await worker.end('SIGTERM')

    const lines = linesOf(worker)
    const trace = receiver.spans().find(({ name }) => name === 'process turns')
    const ofTurn = lines.filter(({ turn_id }) => turn_id === turnId)
    expect(ofTurn.map(({ message, state }) => [message, state])).toEqual([
      ['turn started', undefined],
      ['turn ended', 'completed'],
    ])
    const failed = lines.filter(({ message }) => message === 'provider attempt failed')
    expect(failed.map(({ level, route, attempt, code }) => [level, route, attempt, code])).toEqual([
      ['warn', 'sim/bad+html', 1, 'server/html_payload'],
      ['warn', 'sim/bad+html', 2, 'server/html_payload'],
    ])
    for (const line of [...ofTurn, ...failed]) {
      expect(line).toMatchObject({ trace_id: trace?.traceId, trace_flags: '01' })
      expect(line.span_id).toMatch(/^[0-9a-f]{16}$/)
    }
    const opened = lines.filter(({ message }) => message === 'route opened')
    expect(opened).toMatchObject([{ level: 'warn', route: 'sim/bad+html', to: 'open', reason: 'html' }])
    for (const line of lines) {
      expect(line).toMatchObject({ service: 'turnkeeper-worker', instance: expect.stringMatching(/./) })
      expect(Number.isNaN(Date.parse(String(line.time)))).toBe(false)
    }
  }, 60_000)

  test('is no longer for a long answer, and holds nothing of it or of the question, at any level', async () => {
    const worker = await startWorker('--log-level', 'debug')
    const short = await runTurn({ input: 'say "w0rd"', model: 'good' })
    const long = await runTurn({ input: `say "${'w0rd '.repeat(400)}"`, model: 'good' })
    await worker.end('SIGTERM')
    const ofTurn = (id: string): Line[] => linesOf(worker).filter(({ turn_id }) => turn_id === id)
    expect(ofTurn(long).length).toBe(ofTurn(short).length)
    expect(linesOf(worker).length).toBeLessThan(40)
    expect(worker.output()).not.toContain('w0rd')
  }, 60_000)

  test('begins at the level of the flag, which wins over the configuration', async () => {
    const worker = await startWorker('--log-level', 'warn')
    await runTurn({ input: 'say "hello"' })
    await worker.end('SIGTERM')
    const levels = new Set(linesOf(worker).map(({ level }) => level))
    expect([...levels]).toEqual(['warn'])
  }, 60_000)
})
