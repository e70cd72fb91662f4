import { spawnSync } from 'node:child_process'
import { afterEach, expect, test } from 'vitest'
import { HISTOGRAMS } from '../../src/telemetry/catalogue.ts'
import { createTelemetry, type RunningTelemetry } from '../../src/telemetry/create.ts'
import { counters, exerciseAll, gauges, histograms } from './every-metric.ts'
import { captureLog } from './log-capture.ts'

const hasPromtool = spawnSync('promtool', ['--version']).error === undefined
if (!hasPromtool) console.warn('promtool checks are skipped: install the package "prometheus" to enable them')

let telemetry: RunningTelemetry | undefined
afterEach(async () => {
  await telemetry?.close()
  telemetry = undefined
})

async function start(): Promise<RunningTelemetry> {
  telemetry = await createTelemetry({
    config: { otlpMetrics: false, sampling: 1, captureContent: false, logLevel: 'info' },
    metrics: { host: '127.0.0.1', port: 0, explicit: false },
    service: 'worker',
    version: '1.2.3',
    instanceId: 'test',
    logStream: captureLog().stream,
  })
  return telemetry
}

async function scrape({ metricsUrl }: RunningTelemetry): Promise<string> {
  const response = await fetch(metricsUrl ?? '')
  return response.text()
}

/** The value of one series; undefined if there is none. */
function sample(page: string, series: string): number | undefined {
  const line = page.split('\n').find((candidate) => candidate.startsWith(`${series} `))
  return line === undefined ? undefined : Number(line.slice(series.length))
}

test('every metric of the catalogue stands on the page under its exact name, type and labels', async () => {
  const running = await start()
  exerciseAll(running)
  const page = await scrape(running)
  const types = new Map([...page.matchAll(/^# TYPE (\S+) (\S+)$/gm)].map(([, name, type]) => [name, type]))
  const expected = [
    ...counters.map((name) => [name, 'counter'] as const),
    ...histograms.map((name) => [name, 'histogram'] as const),
    ...gauges.map((name) => [name, 'gauge'] as const),
    ['target_info', 'gauge'] as const,
  ]
  expect([...types].sort()).toEqual(expected.sort())
  expect(page).toContain('provider_stall_count_total{route="a \\"route\\"",provider="a \\"provider\\""')
  expect(page).not.toContain('otel_scope')
})

test.skipIf(!hasPromtool)('promtool has nothing to say about the page', async () => {
  const running = await start()
  exerciseAll(running)
  const { status, stdout, stderr } = spawnSync('promtool', ['check', 'metrics'], {
    input: await scrape(running),
    encoding: 'utf8',
  })
  expect({ status, said: stdout + stderr }).toEqual({ status: 0, said: '' })
})

test('a counter exists from its first 0 and adds up by labels', async () => {
  const running = await start()
  const labels = { route: 'p/m', reason: 'stall' }
  running.count('provider_retries_total', labels, 0)
  expect(sample(await scrape(running), 'provider_retries_total{route="p/m",reason="stall"}')).toBe(0)
  running.count('provider_retries_total', labels)
  running.count('provider_retries_total', labels, 2)
  expect(sample(await scrape(running), 'provider_retries_total{route="p/m",reason="stall"}')).toBe(3)
})

test('a histogram has the boundaries of the catalogue', async () => {
  const running = await start()
  running.record('queue_wait_seconds', { queue: 'turns' }, 0.02)
  const page = await scrape(running)
  const boundaries = [...page.matchAll(/queue_wait_seconds_bucket\{queue="turns",le="([^"]+)"\}/g)]
  expect(boundaries.map(([, le]) => Number(le === '+Inf' ? Infinity : le))).toEqual([
    ...HISTOGRAMS.queue_wait_seconds.buckets,
    Infinity,
  ])
  expect(sample(page, 'queue_wait_seconds_bucket{queue="turns",le="0.01"}')).toBe(0)
  expect(sample(page, 'queue_wait_seconds_bucket{queue="turns",le="0.025"}')).toBe(1)
})

test('a gauge is read at each scrape and is gone after its removal', async () => {
  const running = await start()
  let active = 1
  const remove = running.gauge('worker_active_jobs', () => [[{ queue: 'turns' }, active]])
  expect(sample(await scrape(running), 'worker_active_jobs{queue="turns"}')).toBe(1)
  active = 2
  expect(sample(await scrape(running), 'worker_active_jobs{queue="turns"}')).toBe(2)
  remove()
  expect(sample(await scrape(running), 'worker_active_jobs{queue="turns"}')).toBeUndefined()
})

test('scrapes at the same moment all see every gauge', async () => {
  const running = await start()
  const pages = await Promise.all([scrape(running), scrape(running), scrape(running)])
  const seen = pages.map((page) => sample(page, 'runtime_build_info{version="1.2.3"}'))
  expect(seen).toEqual([1, 1, 1])
})

test('a gauge whose reader throws loses only its own samples', async () => {
  const running = await start()
  running.gauge('worker_active_jobs', () => {
    throw new Error('no')
  })
  running.gauge('worker_active_jobs', () => [[{ queue: 'other' }, 7]])
  const page = await scrape(running)
  expect(sample(page, 'worker_active_jobs{queue="other"}')).toBe(7)
  expect(sample(page, 'runtime_build_info{version="1.2.3"}')).toBe(1)
})

test('labels other than the catalogue has are an error under test', async () => {
  const running = await start()
  expect(() => running.count('turns_total', { agent: 'a' })).toThrow(
    'turns_total: expected the labels agent, outcome, got agent',
  )
})

test('the page says which service and instance it is of', async () => {
  expect(await scrape(await start())).toMatch(
    /^target_info\{service_name="turnkeeper-worker",service_version="1.2.3",service_instance_id="test"\} 1$/m,
  )
})

test('after close nothing is served any more, and closing again does nothing', async () => {
  const running = await start()
  await running.close()
  await running.close()
  await expect(fetch(running.metricsUrl ?? '')).rejects.toThrow()
})

test('the page tells how the process itself is', async () => {
  const running = await start()
  const before = sample(await scrape(running), 'nodejs_eventloop_utilization_ratio')
  expect(before).toBeGreaterThanOrEqual(0)
  const page = await scrape(running)
  expect(sample(page, 'nodejs_eventloop_delay_p99_seconds')).toBeGreaterThanOrEqual(0)
  expect(sample(page, 'nodejs_eventloop_utilization_ratio')).toBeLessThanOrEqual(1)
  expect(sample(page, 'v8js_memory_heap_used_bytes{v8js_heap_space_name="old_space"}')).toBeGreaterThan(1e5)
  expect(sample(page, 'v8js_memory_heap_limit_bytes')).toBeGreaterThan(1e7)
  expect(sample(page, 'process_start_time_seconds')).toBeLessThanOrEqual(Date.now() / 1000)
})

test('a secret that is kept out of the log is counted', async () => {
  const running = await start()
  running.count('telemetry_redactions_total', { field: 'key_form' }, 0)
  running.log.info({}, 'Bearer abcdefghijklmnop')
  const seen = sample(await scrape(running), 'telemetry_redactions_total{field="key_form"}')
  expect(seen).toBe(1)
})

test('beyond its limit of series a metric folds the rest into one that says so', async () => {
  const running = await start()
  for (let i = 0; i < 10_050; i++) running.count('turns_total', { agent: `a${i}`, outcome: 'ok' })
  const series = (await scrape(running)).split('\n').filter((line) => line.startsWith('turns_total'))
  expect(series).toHaveLength(10_000)
  expect(series.filter((line) => line.includes('otel_metric_overflow="true"'))).toHaveLength(1)
})
