import { afterEach, beforeEach, expect, test } from 'vitest'
import { COUNTERS, GAUGES, HISTOGRAMS } from '../../src/telemetry/catalogue.ts'
import { createTelemetry } from '../../src/telemetry/create.ts'
import { exerciseAll } from './every-metric.ts'
import { captureLog } from './log-capture.ts'
import { createOtlpReceiver, type ReceivedMetric } from './otlp-receiver.ts'

let receiver: Awaited<ReturnType<typeof createOtlpReceiver>>
let log: ReturnType<typeof captureLog>

beforeEach(async () => {
  receiver = await createOtlpReceiver()
  log = captureLog()
})
afterEach(() => receiver.close())

const start = ({ otlpMetrics = true, otlpEndpoint = receiver.endpoint } = {}) =>
  createTelemetry({
    config: { otlpEndpoint, otlpMetrics, captureContent: false, sampling: 1, logLevel: 'info' },
    metrics: { host: '127.0.0.1', port: 0, explicit: false },
    service: 'worker',
    version: '1.2.3',
    logStream: log.stream,
  })

const TYPES = { sum: 'counter', gauge: 'gauge', histogram: 'histogram' } as const

/** `name type label,label`, as the page would have it. */
function described(metric: ReceivedMetric): string {
  const kind = (['sum', 'gauge', 'histogram'] as const).find((one) => metric[one] !== undefined)
  const points = kind === undefined ? undefined : metric[kind]
  const labels = points?.dataPoints[0]?.attributes.map(({ key }) => key).sort()
  return `${metric.name} ${kind && TYPES[kind]} ${labels?.join(',')}`
}

test('what is sent over OTLP has the names, types and labels of the page for Prometheus', async () => {
  const telemetry = await start()
  exerciseAll(telemetry)
  const page = await (await fetch(telemetry.metricsUrl ?? '')).text()
  await telemetry.close()
  expect(receiver.paths).toContain('/v1/metrics')

  const labelsOnPage = (name: string): string => {
    const line = page.split('\n').find((one) => new RegExp(`^${name}(?:_count)?[{ ]`).test(one)) ?? ''
    return [...line.matchAll(/[{,](\w+)="/g)]
      .map(([, label]) => label)
      .sort()
      .join(',')
  }
  const onPage = [...page.matchAll(/^# TYPE (\S+) (\S+)$/gm)]
    .filter(([, name]) => name !== 'target_info') // over OTLP it is the resource
    .map(([, name = '', type]) => `${name} ${type} ${labelsOnPage(name)}`)
  const sent = new Set(receiver.metrics().map(described))
  expect([...sent].sort()).toEqual(onPage.sort())
})

test('every name holds its unit, so that a Prometheus that is sent metrics adds no suffix', () => {
  const inName: Readonly<Record<string, RegExp>> = {
    s: /_seconds(?:_|$)/,
    By: /_bytes(?:_|$)/,
    '1': /_ratio$/,
  }
  const wrong = Object.entries({ ...COUNTERS, ...HISTOGRAMS, ...GAUGES })
    .filter(([name, { unit }]) => !/^\{\w+\}$/.test(unit) && !inName[unit]?.test(name))
    .map(([name, { unit }]) => `${name} in ${unit}`)
  expect(wrong).toEqual([])
  for (const name of Object.keys(COUNTERS)) expect(name).toMatch(/_total$/)
})

test('metrics are sent only where the configuration says so', async () => {
  const telemetry = await start({ otlpMetrics: false })
  exerciseAll(telemetry)
  await telemetry.close()
  expect(receiver.paths).toEqual([])
})

test('a receiver that takes no metrics is told once in the log, and the page is served all the same', async () => {
  const refusing = await createOtlpReceiver({ status: 404 })
  const telemetry = await start({ otlpEndpoint: refusing.endpoint })
  expect((await fetch(telemetry.metricsUrl ?? '')).status).toBe(200)
  await telemetry.close()
  await refusing.close()
  expect(log.lines().map(({ message }) => message)).toEqual([
    'metrics served',
    'metrics cannot be sent: the page still has them',
  ])
})
