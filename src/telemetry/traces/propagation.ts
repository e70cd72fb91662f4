/** W3C trace context (https://www.w3.org/TR/trace-context/) as text, and back. */

import {
  type Context,
  defaultTextMapGetter,
  defaultTextMapSetter,
  ROOT_CONTEXT,
  type SpanContext,
  TraceFlags,
  trace,
} from '@opentelemetry/api'
import { W3CTraceContextPropagator } from '@opentelemetry/core'
import type { Carrier } from '../telemetry.ts'

const PROPAGATOR = new W3CTraceContextPropagator()

/** What every process of ours writes: this version, small digits, nothing more. The rest is the propagator's to judge. */
const USUAL = /^00-(?!0{32})[\da-f]{32}-(?!0{16})[\da-f]{16}-0[01]$/

/** The span of a context; `{}` where it has none. */
export function carrierOf(within: Context): Carrier {
  const carrier: { traceparent?: string; tracestate?: string } = {}
  PROPAGATOR.inject(within, carrier, defaultTextMapSetter)
  return carrier
}

/** A span of our own, whose ids are valid. */
export function carrierOfIds({ traceId, spanId, traceFlags, traceState }: SpanContext): Carrier {
  const traceparent = `00-${traceId}-${spanId}-0${traceFlags}`
  return traceState === undefined ? { traceparent } : { traceparent, tracestate: traceState.serialize() }
}

/** The span that a carrier names, elsewhere; undefined where it names no valid one. */
export function idsFromCarrier(carrier: Carrier): SpanContext | undefined {
  const { traceparent = '', tracestate } = carrier
  if (tracestate !== undefined || !USUAL.test(traceparent)) {
    return trace.getSpanContext(PROPAGATOR.extract(ROOT_CONTEXT, carrier, defaultTextMapGetter))
  }
  return new RemoteIds(traceparent)
}

/** Of a `traceparent` of the usual form. A class as spans keep it (S3 of `span.ts`). */
class RemoteIds implements SpanContext {
  readonly traceId: string
  readonly spanId: string
  readonly traceFlags: number
  readonly isRemote = true

  constructor(traceparent: string) {
    this.traceId = traceparent.slice(3, 35)
    this.spanId = traceparent.slice(36, 52)
    this.traceFlags = traceparent.endsWith('1') ? TraceFlags.SAMPLED : TraceFlags.NONE
  }
}
