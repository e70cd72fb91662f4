import { describe, expect, test } from 'vitest'
import type { Reason } from '../../../src/errors.ts'
import { createAttemptEngine } from '../../../src/providers/routing/attempt-engine.ts'
import type { EngineOptions } from '../../../src/providers/routing/engine-types.ts'
import { zeroMetrics } from '../../../src/providers/routing/metrics.ts'
import { createRouter } from '../../../src/providers/routing/router.ts'
import type { StreamPart } from '../../../src/providers/types.ts'
import { type Act, fakeHealth, ROUTING, recordingTelemetry, scriptedUpstream, tableOf } from './scripted.ts'

const OK: Act = { says: ['Hello', ' world'] }

/** A run over scripted routes, and everything that can be seen of it. */
function stage(scripts: Record<string, readonly Act[]>, config: Partial<typeof ROUTING> = {}) {
  const health = fakeHealth()
  const table = tableOf(Object.keys(scripts))
  const telemetry = recordingTelemetry()
  const upstreams = new Map(
    Object.entries(scripts).map(([route, acts]) => [route, scriptedUpstream(route, acts)]),
  )
  const waits: number[] = []
  const parts: StreamPart[] = []
  const engine = createAttemptEngine({
    router: createRouter({ table, health }),
    table,
    health,
    upstreamOf: (route) => upstreams.get(route),
    config: { ...ROUTING, ...config },
    telemetry,
    random: () => 0.5,
    sleep: async (ms, signal) => {
      waits.push(ms)
      return !signal?.aborted
    },
  })
  const run = (options: EngineOptions = {}) =>
    engine.run({ model: 'coder', messages: [] }, (part) => parts.push(part), options)
  const text = (): string => parts.map((part) => (part.type === 'text' ? part.delta : '')).join('')
  return { run, engine, health, telemetry, table, upstreams, waits, parts, text }
}

function expectOneEnding(parts: readonly StreamPart[]): void {
  const endings = parts.filter(({ type }) => type === 'finish' || type === 'error')
  expect(endings).toHaveLength(1)
  expect(parts.at(-1)).toBe(endings[0])
}

describe('the attempt engine', () => {
  test('hands the parts of a good attempt on as they are', async () => {
    const { run, parts, health } = stage({ 'p/a': [OK] })
    const outcome = await run()
    expect(outcome).toMatchObject({ outcome: 'ok', route: 'p/a', decisions: [] })
    expect(parts.map(({ type }) => type)).toEqual(['start', 'text', 'text', 'finish'])
    expect(health.told).toEqual(['p/a ok'])
  })

  const retriedThenRerouted: Reason[] = [
    'html_payload',
    'binary_payload',
    'non_json',
    'empty_body',
    'sse_parse',
    'server_error',
    'overloaded',
    'stream_error',
    'loading',
    'invalid_tool_arguments',
    'connection',
    'truncated_stream',
    'stall',
    'timeout_connect',
    'timeout_headers',
    'timeout_first_content',
    'timeout_total',
  ]
  test.each(retriedThenRerouted)(
    'after %s it tries the same route once more, then the next one',
    async (fails) => {
      const { run, parts, text } = stage({ 'p/a': [{ fails }], 'p/b': [OK] })
      const { attempts, decisions, outcome } = await run()
      expect(outcome).toBe('ok')
      expect(attempts.map(({ route }) => route)).toEqual(['p/a', 'p/a', 'p/b'])
      expect(decisions).toMatchObject([
        { type: 'retry', from: 'p/a', to: 'p/a', reason: fails },
        { type: 'reroute', from: 'p/a', to: 'p/b', reason: fails },
      ])
      expect(text()).toBe('Hello world')
      expectOneEnding(parts)
    },
  )

  test.each([
    'invalid_key',
    'forbidden',
    'rate_limited',
    'quota_exhausted',
    'model_not_found',
    'tls',
    'dns',
    'unknown',
  ] as const)('after %s it goes straight to the next route', async (fails) => {
    const { run } = stage({ 'p/a': [{ fails }], 'p/b': [OK] })
    expect((await run()).attempts.map(({ route }) => route)).toEqual(['p/a', 'p/b'])
  })

  test.each([
    'invalid_request',
    'invalid_parameter',
    'too_large',
    'content_filter',
    'context_length',
  ] as const)('after %s it tries nothing else', async (fails) => {
    const { run, parts } = stage({ 'p/a': [{ fails }], 'p/b': [OK] })
    const { outcome, attempts, error } = await run()
    expect([outcome, attempts.length, error?.reason]).toEqual(['failed', 1, fails])
    expectOneEnding(parts)
  })

  test('a failure before the commit point leaves no part behind (A2)', async () => {
    const { run, parts } = stage({ 'p/a': [{ fails: 'html_payload' }], 'p/b': [OK] })
    await run()
    expect(parts.map((part) => (part.type === 'start' ? part.route : part.type))).toEqual([
      'p/b',
      'text',
      'text',
      'finish',
    ])
  })

  test('after the commit point a call fails in band, with what had come (A3)', async () => {
    const { run, parts, upstreams } = stage({ 'p/a': [{ says: ['Hel'], fails: 'stall' }], 'p/b': [OK] })
    const { outcome, error } = await run()
    expect([outcome, error?.code]).toEqual(['failed', 'network/stall'])
    expect(parts.at(-1)).toMatchObject({ type: 'error', partial: { text: 'Hel' } })
    expect(upstreams.get('p/b')?.calls).toHaveLength(0)
    expectOneEnding(parts)
  })

  test('a restart tells the reader first, then gives the whole answer from another route (A3)', async () => {
    const { engine, parts } = stage({ 'p/a': [{ says: ['Hel'], fails: 'truncated_stream' }], 'p/b': [OK] })
    const seen: string[] = []
    const { outcome, decisions } = await engine.run(
      { model: 'coder', messages: [] },
      (part) => {
        parts.push(part)
        seen.push(part.type === 'text' ? part.delta : part.type)
      },
      {
        afterCommit: 'restart',
        onRestart: ({ reason, from, to }) => seen.push(`restart ${reason} ${from} ${to}`),
      },
    )
    expect(outcome).toBe('ok')
    expect(seen).toEqual([
      'start',
      'Hel',
      'restart truncated_stream p/a p/b',
      'start',
      'Hello',
      ' world',
      'finish',
    ])
    expect(decisions.map(({ type }) => type)).toEqual(['restart'])
    expectOneEnding(parts)
  })

  test('a restart with no other route uses the same one', async () => {
    const { run } = stage({ 'p/a': [{ says: ['Hel'], fails: 'stall' }, OK] })
    const { outcome, decisions } = await run({ afterCommit: 'restart' })
    expect(outcome).toBe('ok')
    expect(decisions.map(({ type }) => type)).toEqual(['restart'])
  })

  test('when everything failed, the error is the first cause and lists all attempts (A4)', async () => {
    const { run, parts } = stage({
      'p/a': [{ fails: 'html_payload' }, { fails: 'stall' }],
      'p/b': [{ fails: 'server_error' }],
    })
    const { error, attempts, outcome } = await run()
    expect(outcome).toBe('failed')
    expect(error?.code).toBe('server/html_payload')
    expect(error?.attempts).toEqual(attempts)
    expect(attempts.map(({ code }) => code)).toEqual([
      'server/html_payload',
      'network/stall',
      'server/server_error',
      'server/server_error',
    ])
    expectOneEnding(parts)
  })

  test('an answer that breaks after silent failures reports what broke it (A4)', async () => {
    const { run } = stage({ 'p/a': [{ fails: 'server_error' }, { says: ['x'], fails: 'stall' }] })
    const { error } = await run()
    expect(error?.code).toBe('network/stall')
    expect(error?.attempts.map(({ code }) => code)).toEqual(['server/server_error', 'network/stall'])
  })

  test('it makes no more than maxAttempts requests', async () => {
    const fails: Act[] = [{ fails: 'server_error' }]
    const { run } = stage({ 'p/a': fails, 'p/b': fails, 'p/c': fails }, { maxAttempts: 3 })
    expect((await run()).attempts).toHaveLength(3)
  })

  test('an upstream that throws has failed like any other (P2)', async () => {
    const { run, parts } = stage({ 'p/a': [{ throws: true }], 'p/b': [OK] })
    expect((await run()).outcome).toBe('ok')
    expectOneEnding(parts)
  })

  test('backoff grows, is jittered, and yields to Retry-After within its limit', async () => {
    const grown = stage({ 'p/a': [{ fails: 'server_error' }] }, { retries: 3 })
    await grown.run()
    expect(grown.waits).toEqual([50, 100, 200])
    const asked = stage({ 'p/a': [{ fails: 'overloaded', retryAfterMs: 700 }, OK] })
    expect((await asked.run()).outcome).toBe('ok')
    expect(asked.waits).toEqual([700])
  })

  test('nobody waits for a Retry-After beyond the limit', async () => {
    const { run, waits } = stage({ 'p/a': [{ fails: 'overloaded', retryAfterMs: 60_000 }], 'p/b': [OK] })
    expect((await run()).attempts.map(({ route }) => route)).toEqual(['p/a', 'p/b'])
    expect(waits).toEqual([])
  })

  test('a wait longer than the backoff is only waited when nothing else serves', async () => {
    const { run, waits } = stage({ 'p/a': [{ fails: 'overloaded', retryAfterMs: 700 }], 'p/b': [OK] })
    expect((await run()).attempts.map(({ route }) => route)).toEqual(['p/a', 'p/b'])
    expect(waits).toEqual([])
  })

  test('a restart prefers the same route to one whose health is worse', async () => {
    const { run, health } = stage({ 'p/a': [{ says: ['x'], fails: 'stall' }, OK], 'p/b': [OK] })
    health.set('p/b', 'degraded')
    expect((await run({ afterCommit: 'restart' })).attempts.map(({ route }) => route)).toEqual(['p/a', 'p/a'])
  })

  test('a used-up limit is waited for only when nothing else serves', async () => {
    const alone = stage({ 'p/a': [{ fails: 'rate_limited', retryAfterMs: 300 }, OK] })
    expect((await alone.run()).outcome).toBe('ok')
    expect(alone.waits).toEqual([300])
    const together = stage({ 'p/a': [{ fails: 'rate_limited', retryAfterMs: 300 }], 'p/b': [OK] })
    await together.run()
    expect(together.waits).toEqual([])
  })

  test('a route that could not be read as a stream is asked for a plain answer', async () => {
    const { run, upstreams } = stage({ 'p/a': [{ fails: 'sse_parse' }, OK] })
    expect((await run()).outcome).toBe('ok')
    expect(upstreams.get('p/a')?.calls.map(({ stream }) => stream)).toEqual([undefined, false])
  })

  test('a degraded route is tried after the closed one has used its retry, as nothing else is left', async () => {
    const { run, health } = stage({ 'p/a': [{ fails: 'server_error' }], 'p/b': [OK] })
    health.set('p/b', 'degraded')
    expect((await run()).attempts.map(({ route }) => route)).toEqual(['p/a', 'p/a', 'p/b'])
  })

  test('it never goes on to an open route', async () => {
    const { run, health, upstreams } = stage({ 'p/a': [{ fails: 'server_error' }], 'p/b': [OK] })
    health.set('p/b', 'open', 5000)
    expect((await run()).outcome).toBe('failed')
    expect(upstreams.get('p/b')?.calls).toHaveLength(0)
  })

  test('a route that opens while the engine waits is not retried', async () => {
    const act: Act = { fails: 'html_payload', before: () => stageA.health.set('p/a', 'open', 5000) }
    const stageA = stage({ 'p/a': [act], 'p/b': [OK] })
    expect((await stageA.run()).attempts.map(({ route }) => route)).toEqual(['p/a', 'p/b'])
  })

  test('with every route open a direct call goes to the one probed first, a queued one waits', async () => {
    const { run, health } = stage({ 'p/a': [OK], 'p/b': [OK] })
    health.set('p/a', 'open', 9000)
    health.set('p/b', 'open', 4000)
    expect(await run()).toMatchObject({ outcome: 'ok', route: 'p/b' })
    const waiting = await run({ whenAllOpen: 'wait' })
    expect(waiting).toMatchObject({ outcome: 'failed', route: null, attempts: [], nextProbeInMs: 4000 })
    expect(waiting.error).toMatchObject({ code: 'server/breaker_open', retryAfterMs: 4000 })
  })

  test('an unknown name is an error part, not an exception', async () => {
    const { engine, parts } = stage({ 'p/a': [OK] })
    for (const model of ['nothing', 'off/m', 'constructor', '']) {
      const { error } = await engine.run({ model, messages: [] }, (part) => parts.push(part))
      expect(error?.code).toBe('server/no_route')
    }
    expect(parts.map(({ type }) => type)).toEqual(['error', 'error', 'error', 'error'])
  })

  test('a cancelled call ends with turn/cancelled, tries nothing else and counts nowhere', async () => {
    const { run, parts, health } = stage({ 'p/a': [{ says: ['Hel'], hangs: true }], 'p/b': [OK] })
    const controller = new AbortController()
    setTimeout(() => controller.abort(), 10)
    const { outcome, error, attempts } = await run({ signal: controller.signal, afterCommit: 'restart' })
    expect([outcome, error?.code, attempts.length]).toEqual(['cancelled', 'turn/cancelled', 1])
    expect(health.told).toEqual([])
    expect(parts.at(-1)).toMatchObject({ type: 'error', partial: { text: 'Hel' } })
    expectOneEnding(parts)
  })

  test('a cancel during a wait ends the call', async () => {
    const controller = new AbortController()
    const { run, parts } = stage({ 'p/a': [{ fails: 'server_error', before: () => controller.abort() }] })
    expect((await run({ signal: controller.signal })).error?.code).toBe('turn/cancelled')
    expectOneEnding(parts)
  })

  test('a reroute tells of the route that failed, unless the route was not to blame', async () => {
    const guilty = stage({ 'p/a': [{ fails: 'dns' }], 'p/b': [OK] })
    await guilty.run()
    expect(guilty.health.told).toEqual(['p/a dns', 'p/a rerouted', 'p/b ok'])
    const innocent = stage({ 'p/a': [{ fails: 'rate_limited' }], 'p/b': [OK] })
    await innocent.run()
    expect(innocent.health.told).toEqual(['p/a rate_limited', 'p/b ok'])
  })

  describe('shows what it did', () => {
    test('in one chat span around one provider_attempt span each', async () => {
      const { run, telemetry } = stage({ 'p/a': [{ fails: 'dns' }], 'p/b': [OK] })
      await run()
      expect(telemetry.spans.map(({ operation, failed }) => [operation, failed])).toEqual([
        ['chat', undefined],
        ['provider_attempt', 'network/dns'],
        ['provider_attempt', undefined],
      ])
      expect(telemetry.spans[0]?.attributes).toMatchObject({
        'gen_ai.request.model': 'coder',
        'gen_ai.response.finish_reasons': ['stop'],
        'turnkeeper.route': 'p/b',
      })
      expect(telemetry.spans[2]?.attributes).toMatchObject({
        route: 'p/b',
        alias: 'coder',
        outcome: 'ok',
        'attempt.number': 2,
        'reroute.from': 'p/a',
        'reroute.reason': 'dns',
      })
    })

    test('in counters, none of which is born late', async () => {
      const { run, telemetry, table } = stage({
        'p/a': [{ fails: 'html_payload' }, { fails: 'stall' }],
        'p/b': [OK],
      })
      zeroMetrics(telemetry, table)
      const born = new Set(telemetry.counts.keys())
      await run()
      const counted = [...telemetry.counts].filter(([, value]) => value > 0).map(([key]) => key)
      expect(counted.sort()).toEqual([
        'provider_attempts_total p/a p a html',
        'provider_attempts_total p/a p a stall',
        'provider_attempts_total p/b p b ok',
        'provider_html_payload_total p/a p before_content',
        'provider_retries_total p/a html',
        'provider_stall_count_total p/a p before_content',
        'route_reroutes_total coder p/a p/b stall',
      ])
      expect(counted.filter((key) => !born.has(key))).toEqual([])
    })

    test('in one log line a failed attempt, without a word of its message', async () => {
      const { run, telemetry } = stage({ 'p/a': [{ fails: 'html_payload' }], 'p/b': [OK] })
      await run()
      expect(telemetry.lines).toHaveLength(2)
      expect(telemetry.lines.join()).not.toContain('scripted')
    })

    test('without a label that a client made up', async () => {
      const { engine, telemetry } = stage({ 'p/a': [OK] })
      await engine.run({ model: 'p/made-up', messages: [] }, () => {})
      expect([...telemetry.counts.keys()].join()).not.toContain('made-up')
    })
  })
})
