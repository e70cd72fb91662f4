import { context } from '@opentelemetry/api'
import { isTracingSuppressed } from '@opentelemetry/core'
import type { ReadableSpan, SpanExporter } from '@opentelemetry/sdk-trace'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { createBatches } from '../../src/telemetry/traces/batches.ts'
import { shareContext } from '../../src/telemetry/traces/shared-context.ts'

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

type Done = Parameters<SpanExporter['export']>[1]

/** An exporter that keeps the sizes of its batches, and answers when it is told to. */
function exporting() {
  const sizes: number[] = []
  const pending: Done[] = []
  const exporter = {
    export(batch: readonly ReadableSpan[], done: Done) {
      sizes.push(batch.length)
      pending.push(done)
    },
  }
  const answer = async (): Promise<void> => {
    pending.shift()?.({ code: 0 })
    await vi.advanceTimersByTimeAsync(0)
  }
  return { sizes, answer, batches: createBatches(exporter) }
}

const span = {} as ReadableSpan // nothing of it is read
const addTo = ({ add }: { add(one: ReadableSpan): void }, count: number): void => {
  for (let n = 0; n < count; n += 1) add(span)
}

test('a full batch is sent at once, and what is left within five seconds', async () => {
  const { sizes, answer, batches } = exporting()
  addTo(batches, 600)
  expect(sizes).toEqual([512])
  await answer()
  expect(sizes).toEqual([512])
  await vi.advanceTimersByTimeAsync(5000)
  expect(sizes).toEqual([512, 88])
})

test('one batch is under way at a time, and what does not fit meanwhile is dropped', async () => {
  const { sizes, answer, batches } = exporting()
  addTo(batches, 512 + 2048 + 100)
  await vi.advanceTimersByTimeAsync(10_000)
  expect(sizes).toEqual([512])
  for (let n = 0; n < 5; n += 1) await answer()
  expect(sizes).toEqual([512, 512, 512, 512, 512])
})

test('closing sends all that is left and waits for it; nothing is taken after', async () => {
  const { sizes, answer, batches } = exporting()
  addTo(batches, 1100)
  let isClosed = false
  const closing = batches.close().then(() => {
    isClosed = true
  })
  addTo(batches, 600)
  expect(sizes).toEqual([512, 512, 76])
  await answer()
  await answer()
  expect(isClosed).toBe(false)
  await answer()
  await closing
  await vi.advanceTimersByTimeAsync(10_000)
  expect(sizes).toEqual([512, 512, 76])
})

test('an exporter that never answers is given up after half a minute', async () => {
  const { sizes, batches } = exporting()
  addTo(batches, 513)
  await vi.advanceTimersByTimeAsync(29_000)
  expect(sizes).toEqual([512])
  await vi.advanceTimersByTimeAsync(7000)
  expect(sizes).toEqual([512, 1])
})

test('an exporter that throws loses its batch, not the next one', async () => {
  const sizes: number[] = []
  const batches = createBatches({
    export(batch, done) {
      sizes.push(batch.length)
      if (sizes.length === 1) throw new Error('no memory')
      done({ code: 0 })
    },
  })
  addTo(batches, 512)
  await vi.advanceTimersByTimeAsync(0)
  addTo(batches, 512)
  await batches.close()
  expect(sizes).toEqual([512, 512])
})

test('what an exporter does is traced by nobody', () => {
  shareContext()
  const suppressed: boolean[] = []
  const batches = createBatches({ export: () => void suppressed.push(isTracingSuppressed(context.active())) })
  addTo(batches, 512)
  expect(suppressed).toEqual([true])
})
