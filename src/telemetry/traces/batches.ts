/**
 * Ended spans to the SDK's exporter, in batches, under the bounds of its `BatchSpanProcessor`. That one makes closures for
 * each span and timers and promises for each batch, in the context of whichever span comes first.
 */

import { context, ROOT_CONTEXT } from '@opentelemetry/api'
import { suppressTracing } from '@opentelemetry/core'
import type { ReadableSpan, SpanExporter } from '@opentelemetry/sdk-trace'

/** As the specification has them: https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/. */
const BATCH_SPANS = 512
const MAX_WAITING_SPANS = 2048
const SEND_EVERY_MS = 5000
/** After which an exporter that does not answer is no longer waited for. */
const GIVEN_UP_AFTER_MS = 30_000

export type Batches = {
  /** Takes an ended span; drops it where too many wait already. */
  add(span: ReadableSpan): void
  /** Sends what is left, all at once, and stops. What ends later is dropped. */
  close(): Promise<void>
}

/** A full batch is sent at once, a smaller one after five seconds, one at a time. Does not keep the process alive. */
export function createBatches(exporter: Pick<SpanExporter, 'export'>): Batches {
  // what an exporter does is no part of the trace in which a batch became full
  const untraced = suppressTracing(ROOT_CONTEXT)
  let waiting: ReadableSpan[] = []
  let sending: Promise<void> | undefined
  let isClosed = false

  const send = (): Promise<void> => {
    const batch = waiting.length <= BATCH_SPANS ? waiting : waiting.splice(0, BATCH_SPANS)
    if (batch === waiting) waiting = []
    return context.with(untraced, exportBatch, undefined, exporter, batch)
  }
  const sendOnes = async (): Promise<void> => {
    do await send()
    while (waiting.length >= BATCH_SPANS)
    sending = undefined
  }
  const timer = setInterval(() => {
    if (waiting.length > 0) sending ??= sendOnes()
  }, SEND_EVERY_MS)
  timer.unref()

  return {
    add(span) {
      if (isClosed || waiting.length >= MAX_WAITING_SPANS) return
      waiting.push(span)
      if (waiting.length >= BATCH_SPANS) sending ??= sendOnes()
    },
    async close() {
      isClosed = true
      clearInterval(timer)
      const left = [sending]
      while (waiting.length > 0) left.push(send())
      await Promise.all(left)
    },
  }
}

/** Resolves when a batch was taken, refused or given up: the exporter tells of failures itself (`tellFailures`). */
function exportBatch(exporter: Pick<SpanExporter, 'export'>, batch: ReadableSpan[]): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, GIVEN_UP_AFTER_MS)
    const settle = (): void => {
      clearTimeout(timer)
      resolve()
    }
    try {
      exporter.export(batch, settle)
    } catch {
      settle() // its batch is lost; the next one may fare better
    }
  })
}
