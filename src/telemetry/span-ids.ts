import { createHash } from 'node:crypto'
import type { Operation } from './catalogue.ts'
import type { KnownAs } from './telemetry.ts'

export type SpanIds = {
  /** 32 hexadecimal digits, for a span without a parent. */
  readonly traceId: string
  /** 16 hexadecimal digits. */
  readonly spanId: string
}

/** Ids that every process works out alike, so that one can tell of the span that another took to its grave. */
export function spanIdsOf(operation: Operation, { trace, span }: KnownAs): SpanIds {
  return { traceId: hexOf(trace, 32), spanId: hexOf(`${operation} ${span}`, 16) }
}

/** Never all zeros, which would be no id: that is as likely as a guessed key. */
function hexOf(text: string, digits: number): string {
  return createHash('sha256').update(text).digest('hex').slice(0, digits)
}
