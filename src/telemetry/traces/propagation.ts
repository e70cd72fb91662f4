import {
  type Context,
  context,
  defaultTextMapGetter,
  defaultTextMapSetter,
  type Link,
  type TextMapPropagator,
  trace,
} from '@opentelemetry/api'
import type { Carrier } from '../telemetry.ts'
import { chained } from './chained-context.ts'

/** The active span as W3C trace context (https://www.w3.org/TR/trace-context/); `{}` outside of any span. */
export function activeCarrier(propagator: TextMapPropagator): Carrier {
  const carrier: { traceparent?: string; tracestate?: string } = {}
  propagator.inject(context.active(), carrier, defaultTextMapSetter)
  return carrier
}

/** The active context with the carrier's span in the place of the active one; without any span if it has none. */
export function contextFromCarrier(propagator: TextMapPropagator, carrier: Carrier): Context {
  return propagator.extract(trace.deleteSpan(chained(context.active())), carrier, defaultTextMapGetter)
}

/** Links to the carriers' spans; carriers without a valid one are left out. */
export function linksFromCarriers(propagator: TextMapPropagator, carriers: readonly Carrier[]): Link[] {
  return carriers.flatMap((carrier) => {
    const spanContext = trace.getSpanContext(contextFromCarrier(propagator, carrier))
    return spanContext === undefined ? [] : [{ context: spanContext }]
  })
}
