/** Ids of spans and traces: random ones, and those that every process works out alike. */

import { hash, randomFillSync } from 'node:crypto'
import type { Operation } from '../catalogue.ts'
import type { KnownAs } from '../telemetry.ts'

const TRACE_DIGITS = 32
const SPAN_DIGITS = 16
/** Random bytes that are asked for at once: hundreds of ids for the price of a few. */
const BLOCK_BYTES = 4096

export type RandomIds = {
  /** 32 hexadecimal digits. */
  traceId(): string
  /** 16 hexadecimal digits. */
  spanId(): string
}

/** Ids that are pieces of one random text, until it is used up. */
export function createRandomIds(): RandomIds {
  const bytes = Buffer.allocUnsafe(BLOCK_BYTES)
  let block = ''
  let used = 0
  const take = (digits: number): string => {
    if (used + digits > block.length) {
      block = randomFillSync(bytes).toString('hex')
      used = 0
    }
    used += digits
    return block.slice(used - digits, used)
  }
  return { traceId: () => take(TRACE_DIGITS), spanId: () => take(SPAN_DIGITS) }
}

/** 32 hexadecimal digits, so that one process can tell of the span that another took to its grave. */
export function traceIdOf({ trace }: KnownAs): string {
  return hexOf(trace, TRACE_DIGITS)
}

/** 16 hexadecimal digits. */
export function spanIdOf(operation: Operation, { span }: KnownAs): string {
  return hexOf(`${operation} ${span}`, SPAN_DIGITS)
}

/** In one call, 0.4 µs where `createHash` takes 4. All zeros, which would be no id, are as likely as a guessed key. */
function hexOf(text: string, digits: number): string {
  return hash('sha256', text, 'hex').slice(0, digits)
}
