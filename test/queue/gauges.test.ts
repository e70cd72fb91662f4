import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { type QueueGauges, startQueueGauges } from '../../src/queue/gauges.ts'
import type { RedisServer } from '../../src/redis/embedded.ts'
import { noTelemetry } from '../../src/telemetry/none.ts'
import type { Telemetry } from '../../src/telemetry/telemetry.ts'
import { startAnyRedis } from '../redis-servers.ts'
import { type OpenQueue, openQueue } from './open-queue.ts'

let server: RedisServer
let count = 0
const open: { close(): Promise<void> }[] = []

beforeAll(async () => {
  server = await startAnyRedis()
})
afterAll(() => server.close())
afterEach(async () => {
  for (const one of open.splice(0).reverse()) await one.close()
})

async function queue(): Promise<OpenQueue> {
  const opened = await openQueue(server.url, { prefix: `gauges${++count}` })
  open.push(opened)
  return opened
}

/** A page of metrics and the gauges on it. */
function gaugesOf({ backend }: OpenQueue): { read(): Record<string, number>; gauges: QueueGauges } {
  const readers = new Map<string, Parameters<Telemetry['gauge']>[1]>()
  const telemetry: Telemetry = {
    ...noTelemetry,
    gauge(metric, read) {
      readers.set(metric, read)
      return () => void readers.delete(metric)
    },
  }
  const gauges = startQueueGauges({ backend, telemetry, queue: 'turns', leaseMs: 200 })
  open.push(gauges)
  const read = (): Record<string, number> =>
    Object.fromEntries(
      [...readers].flatMap(([name, reader]) =>
        [...reader()].map(([labels, value]) => [[name, labels.state].filter(Boolean).join(' '), value]),
      ),
    )
  return { read, gauges }
}

test('the gauges are 0 from the start, count what could start, and one process of many counts', async () => {
  const opened = await queue()
  const pages = [gaugesOf(opened), gaugesOf(opened)]
  const zero = { 'queue_jobs ready': 0, 'queue_jobs limited': 0, queue_oldest_job_age_seconds: 0 }
  expect(pages.map(({ read }) => read())).toEqual([zero, zero])
  await opened.client.enqueueMany([
    { agent: 'a', input: 'x', sessionId: 's' },
    { agent: 'a', input: 'y', sessionId: 's' },
    { agent: 'a', input: 'z' },
    { agent: 'a', input: 'late', delayMs: 60_000 },
  ])
  await sleep(150)
  const ready = () => pages.map(({ read }) => read()['queue_jobs ready'])
  await expect.poll(() => ready().toSorted()).toEqual([0, 2])
  const holder = pages[ready().indexOf(2)]
  await expect.poll(() => holder?.read().queue_oldest_job_age_seconds).toBeGreaterThan(0.05)
  await holder?.gauges.close()
  await expect.poll(ready).toContain(2) // the other one counts now
})
