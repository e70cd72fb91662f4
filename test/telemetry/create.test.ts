import { spawnSync } from 'node:child_process'
import { PassThrough } from 'node:stream'
import { expect, test } from 'vitest'
import { createTelemetry } from '../../src/telemetry/create.ts'
import { captureLog } from './log-capture.ts'

const quiet = { otlpMetrics: false, sampling: 1, captureContent: false, logLevel: 'info' } as const

test('without a receiver and a metrics port there is a log and nothing else, at no cost', async () => {
  const log = captureLog()
  await using telemetry = await createTelemetry({
    config: quiet,
    service: 'cli',
    version: '1',
    logStream: log.stream,
  })
  telemetry.count('turns_total', { agent: 'a', outcome: 'ok' })
  telemetry.gauge('worker_active_jobs', () => [])()
  expect(await telemetry.observe('chat', {}, async () => telemetry.carrier())).toEqual({})
  expect(telemetry).not.toHaveProperty('metricsUrl')
  telemetry.log.info({}, 'still here')
  expect(log.lines()).toHaveLength(1)
})

test('a log below its level is not written', async () => {
  const log = captureLog()
  await using telemetry = await createTelemetry({
    config: { ...quiet, logLevel: 'warn' },
    service: 'cli',
    version: '1',
    logStream: log.stream,
  })
  telemetry.log.info({}, 'too quiet')
  telemetry.log.error({}, 'loud enough')
  expect(log.lines().map(({ message }) => message)).toEqual(['loud enough'])
})

test('no secret comes through the log, by field, by value or by encoding', async () => {
  const log = captureLog()
  await using telemetry = await createTelemetry({
    config: quiet,
    service: 'cli',
    version: '1',
    logStream: log.stream,
    secrets: ['hunter22"x'],
  })
  const encoded = Buffer.from('Basic user:hunter22"x').toString('base64')
  telemetry.log.info({ apiKey: 'hunter22', url: 'http://h/?k=hunter22%22x', encoded }, 'used hunter22"x')
  telemetry.log.error({ error: new Error('hunter22') }, 'failed')
  expect(log.text()).not.toMatch(/hunter22|aHVudGVyMj|h1bnRlcjIy|odW50ZXIyM/)
  expect(log.lines()).toHaveLength(2)
})

test('on a terminal the log is text for people', async () => {
  const log = captureLog()
  const terminal = Object.assign(new PassThrough(), { isTTY: true })
  terminal.pipe(log.stream)
  await using telemetry = await createTelemetry({
    config: quiet,
    service: 'cli',
    version: '1',
    logStream: terminal,
  })
  telemetry.log.info({ route: 'p/m' }, 'rerouted')
  await new Promise((resolve) => setImmediate(resolve))
  expect(log.text()).toContain('rerouted')
  expect(log.text()).not.toMatch(/^\{/)
})

test('a metrics port that another process took is left to it, and the log says which one is used', async () => {
  const options = { config: quiet, service: 'worker', version: '1' }
  await using first = await createTelemetry({
    ...options,
    metrics: { host: '127.0.0.1', port: 0, explicit: false },
    logStream: captureLog().stream,
  })
  const port = Number(new URL(first.metricsUrl ?? '').port)
  const log = captureLog()
  await using second = await createTelemetry({
    ...options,
    metrics: { host: '127.0.0.1', port, explicit: false },
    logStream: log.stream,
  })
  expect(second.metricsUrl).not.toBe(first.metricsUrl)
  expect(log.lines()).toMatchObject([{ level: 'warn', wanted: port }, { url: second.metricsUrl }])
})

test('importing telemetry loads neither the SDK nor the logger', () => {
  const script = `
    await import('./src/telemetry/create.ts')
    const { registerHooks } = await import('node:module')
    const loaded = []
    registerHooks({ load: (url, context, next) => (loaded.push(url), next(url, context)) })
    const { createTelemetry } = await import('./src/telemetry/create.ts')
    await createTelemetry({ config: { otlpMetrics: false, sampling: 1, captureContent: false, logLevel: 'error' }, service: 'cli', version: '1' })
    console.log(loaded.some((url) => url.includes('/pino/')), loaded.some((url) => url.includes('sdk-')))
  `
  const { stdout } = spawnSync(process.execPath, ['--input-type=module', '-e', script], { encoding: 'utf8' })
  // the logger comes with the first telemetry, so it was not there before; the SDK only with metrics or traces
  expect(stdout.trim()).toBe('true false')
})
