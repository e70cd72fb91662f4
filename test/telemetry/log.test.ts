import { context, ROOT_CONTEXT, trace } from '@opentelemetry/api'
import { expect, test } from 'vitest'
import { createLog } from '../../src/telemetry/log.ts'
import { createRedactor } from '../../src/telemetry/redaction.ts'
import { shareContext } from '../../src/telemetry/traces/shared-context.ts'
import { captureLog } from './log-capture.ts'

async function open() {
  const { stream, lines, text } = captureLog()
  const redactor = createRedactor()
  const log = await createLog({ level: 'info', stream, base: { service: 'test' }, redactor })
  return { log, lines, text }
}

/** Runs `work` in a span of somebody else. */
function within(ids: { traceId: string; spanId: string }, work: () => void): void {
  shareContext()
  context.with(trace.setSpanContext(ROOT_CONTEXT, { ...ids, traceFlags: 1 }), work)
}

test('a line stands in the span of whoever writes it, and has the time to the millisecond', async () => {
  const { log, lines } = await open()
  const ids = { traceId: 'a'.repeat(32), spanId: 'b'.repeat(16) }
  const before = Date.now()
  within(ids, () => log.info({ n: 1 }, 'inside'))
  const [line] = lines()
  expect(line).toMatchObject({ level: 'info', service: 'test', n: 1, message: 'inside' })
  expect(line).toMatchObject({ trace_id: ids.traceId, span_id: ids.spanId, trace_flags: '01' })
  const at = Date.parse(String(line?.time))
  expect(at).toBeGreaterThanOrEqual(before)
  expect(at).toBeLessThanOrEqual(Date.now())
})

test('ids that are none are left out, whatever they hold', async () => {
  const { log, lines } = await open()
  within({ traceId: 'x","level":"error', spanId: 'y' }, () => log.info({}, 'inside'))
  expect(lines()).toHaveLength(1)
  expect(lines()[0]).toMatchObject({ level: 'info', message: 'inside' })
  expect(lines()[0]).not.toHaveProperty('trace_id')
})
