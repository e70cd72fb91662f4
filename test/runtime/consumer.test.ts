import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test, vi } from 'vitest'
import { type Consumer, openConsumer } from '../../src/runtime/worker/consumer.ts'
import { noTelemetry } from '../../src/telemetry/none.ts'

const log = noTelemetry.log
async function watched(more: Partial<Parameters<typeof openConsumer>[0]>) {
  const signs: (() => void)[] = []
  const lost = vi.fn()
  const closed = vi.fn()
  const consumer: Consumer = await openConsumer({
    open: async (onSign) => {
      signs.push(onSign)
      return { close: async () => closed() }
    },
    isFull: () => false,
    answers: async () => true,
    log,
    onLost: lost,
    checkMs: 10,
    ...more,
  })
  return { consumer, signs, lost, closed }
}

test('a consumer that stays deaf after two restarts is given up', async () => {
  const { consumer, signs, lost, closed } = await watched({})
  await expect.poll(() => lost).toHaveBeenCalledTimes(1)
  expect(lost.mock.calls[0]?.[0]).toMatchObject({ code: 'queue/deaf' })
  expect(signs).toHaveLength(3)
  expect(closed).toHaveBeenCalledTimes(2)
  await consumer.close(100)
})

test.each([
  ['all places are taken', { isFull: () => true }],
  ['Redis itself is away', { answers: async () => false }],
])('silence while %s is no deafness', async (_why, more) => {
  const { consumer, signs } = await watched(more)
  await sleep(150)
  expect(consumer.isDeaf()).toBe(false)
  expect(signs).toHaveLength(1)
  await consumer.close(100)
})

test('a consumer that hears again after a restart is not held against it later', async () => {
  const { consumer, signs, lost } = await watched({})
  await expect.poll(() => signs).toHaveLength(2)
  const hearing = setInterval(() => signs.at(-1)?.(), 5)
  await expect.poll(() => consumer.isDeaf()).toBe(false)
  await sleep(100)
  clearInterval(hearing)
  expect(signs).toHaveLength(2)
  await expect.poll(() => lost).toHaveBeenCalled()
  expect(signs).toHaveLength(4)
  await consumer.close(100)
})

test('closing waits for a consumer that hangs only as long as it is told to', async () => {
  const { consumer } = await watched({ open: async () => ({ close: () => new Promise(() => {}) }) })
  const started = performance.now()
  await consumer.close(50)
  expect(performance.now() - started).toBeLessThan(2_000)
})
