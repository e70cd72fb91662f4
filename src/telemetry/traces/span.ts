/**
 * A span under way. It is OpenTelemetry's `Span`, so that spans of others nest in it, and its `ReadableSpan`, so that the
 * SDK's batches and exporters take it; it is the `ActiveSpan` that our own code sees; and it is the `Context` that its work
 * runs in. One object for what are four elsewhere, each of which checks, copies and stamps: that was most of what a
 * turn's telemetry cost.
 *
 * S1. Attributes are redacted, then cut; nothing is redacted at the export.
 * S2. An exception of others becomes the name of its class: its message may hold content.
 * S3. What a span keeps until it is sent is made with `new`, not as a literal. Where most objects of a literal outlive a
 *     collection, as those of spans that wait do, V8 makes all later ones in the old generation, where even dead ones
 *     keep alive what they hold: a scavenge then took 8 ms instead of 0.4, a quarter of what spans cost.
 */

import {
  type Context,
  createContextKey,
  type Exception,
  type HrTime,
  type Link,
  type Attributes as OtelAttributes,
  type Span,
  type SpanContext,
  type SpanKind,
  type SpanStatus,
  SpanStatusCode,
  TraceFlags,
  type TraceState,
} from '@opentelemetry/api'
import { millisToHrTime } from '@opentelemetry/core'
import type { ReadableSpan, TimedEvent } from '@opentelemetry/sdk-trace'
import { ATTR } from '../semconv.ts'
import type { ActiveSpan, Attributes } from '../telemetry.ts'
import { ChainedContext } from './chained-context.ts'
import { BUDGET_KEY, SpanBudget } from './span-budget.ts'

/** Where a context keeps its span. The API does not export it, but copies of it in one process have to agree on it. */
export const SPAN_KEY = createContextKey('OpenTelemetry Context Key SPAN')

/** Where spans go when they have ended, and on whose behalf. */
export type SpanSink = Pick<ReadableSpan, 'resource' | 'instrumentationScope'> & {
  ended(span: ReadableSpan): void
}

/** What all spans of a process have in common. */
export type SpanWorld = {
  readonly sink: SpanSink
  readonly capturesContent: boolean
  /** An attribute's text without secrets, and not too long. */
  readonly clean: (text: string) => string
}

export type SpanStart = {
  readonly name: string
  readonly kind: SpanKind
  readonly traceId: string
  readonly spanId: string
  readonly parent: SpanContext | undefined
  readonly links: readonly SpanContext[] | undefined
  /** The context that it is opened in. */
  readonly around: Context
  /** What it is taken from. Default: a budget of its own. */
  readonly budget: SpanBudget | undefined
  /** Epoch milliseconds. Default: now. */
  readonly startedAt: number | undefined
}

export class RecordedSpan implements SpanContext, Context, Span, ReadableSpan, ActiveSpan {
  name: string
  readonly kind: SpanKind
  readonly traceId: string
  readonly spanId: string
  readonly traceFlags = TraceFlags.SAMPLED
  readonly traceState?: TraceState
  readonly parentSpanContext?: SpanContext
  readonly attributes: OtelAttributes = {} // the one literal of which V8 keeps no account
  events: TimedEvent[] = NONE
  status: SpanStatus = UNSET
  readonly budget: SpanBudget
  #links: readonly SpanContext[] | undefined
  readonly #world: SpanWorld
  readonly #around: Context
  readonly #startMs: number
  #endMs: number | undefined

  constructor(world: SpanWorld, start: SpanStart) {
    this.name = start.name
    this.kind = start.kind
    this.traceId = start.traceId
    this.spanId = start.spanId
    if (start.parent?.traceState !== undefined) this.traceState = start.parent.traceState
    if (start.parent !== undefined) this.parentSpanContext = start.parent
    this.#links = start.links
    this.budget = start.budget ?? new SpanBudget(this)
    this.#world = world
    this.#around = start.around
    this.#startMs = start.startedAt ?? this.#now()
  }

  #now(): number {
    return this.budget.origin + performance.now()
  }

  get capturesContent(): boolean {
    return this.#world.capturesContent
  }

  set(attributes: Attributes): void {
    if (this.#endMs === undefined) copyAttributes(attributes, this.attributes, this.#world.clean)
  }

  event(name: string, attributes: Attributes = {}): void {
    if (this.#endMs !== undefined) return
    const own = copyAttributes(attributes, {}, this.#world.clean)
    if (this.events === NONE) this.events = []
    this.events.push({ name, time: millisToHrTime(this.#now()), attributes: own })
  }

  fail(errorType: string): void {
    this.set({ [ATTR.errorType]: errorType })
    this.setStatus({ code: SpanStatusCode.ERROR, message: errorType })
  }

  end(): void {
    if (this.#endMs !== undefined) return
    const { root, dropped } = this.budget
    if (root === this && dropped > 0) this.set({ 'spans.dropped': dropped })
    this.#endMs = Math.max(this.#startMs, this.#now())
    this.#world.sink.ended(this)
  }

  // What a context is asked for.

  getValue(key: symbol): unknown {
    if (key === SPAN_KEY) return this
    return key === BUDGET_KEY ? this.budget : this.#around.getValue(key)
  }

  setValue(key: symbol, value: unknown): Context {
    return new ChainedContext(this, key, value)
  }

  deleteValue(key: symbol): Context {
    return new ChainedContext(this, key)
  }

  // What only foreign code asks for, which finds this span as the active one.

  spanContext(): SpanContext {
    const { traceId, spanId, traceFlags, traceState } = this
    return traceState === undefined
      ? { traceId, spanId, traceFlags }
      : { traceId, spanId, traceFlags, traceState }
  }

  isRecording(): boolean {
    return this.#endMs === undefined
  }

  setAttribute(key: string, value: OtelAttributes[string]): this {
    return this.setAttributes({ [key]: value })
  }

  setAttributes(attributes: OtelAttributes): this {
    this.set(attributes as Attributes) // arrays of numbers or booleans are copied like texts
    return this
  }

  addEvent(name: string, attributes?: unknown): this {
    // in the place of attributes there may be a time
    const isTime = typeof attributes !== 'object' || attributes instanceof Date || Array.isArray(attributes)
    this.event(name, isTime ? {} : (attributes as Attributes))
    return this
  }

  addLink(link: Link): this {
    return this.addLinks([link])
  }

  addLinks(links: Link[]): this {
    if (this.isRecording()) this.#links = [...(this.#links ?? []), ...links.map(({ context }) => context)]
    return this
  }

  setStatus(status: SpanStatus): this {
    const { code, message } = status
    if (this.#endMs === undefined)
      this.status = message === undefined ? { code } : { code, message: this.#world.clean(message) }
    return this
  }

  updateName(name: string): this {
    if (this.isRecording()) this.name = this.#world.clean(name)
    return this
  }

  recordException(exception: Exception): void {
    const name = exception instanceof Error ? exception.name : '_OTHER'
    this.event('exception', { 'exception.type': name })
  }

  // What only the exporter asks for.

  get links(): Link[] {
    return this.#links?.map((context) => ({ context })) ?? []
  }

  get startTime(): HrTime {
    return millisToHrTime(this.#startMs)
  }

  get endTime(): HrTime {
    return millisToHrTime(this.#endMs ?? this.#startMs)
  }

  get duration(): HrTime {
    return millisToHrTime((this.#endMs ?? this.#startMs) - this.#startMs)
  }

  get droppedAttributesCount(): number {
    return 0
  }

  get droppedEventsCount(): number {
    return 0
  }

  get droppedLinksCount(): number {
    return 0
  }

  get ended(): boolean {
    return this.#endMs !== undefined
  }

  get resource(): ReadableSpan['resource'] {
    return this.#world.sink.resource
  }

  get instrumentationScope(): ReadableSpan['instrumentationScope'] {
    return this.#world.sink.instrumentationScope
  }
}

/** Most spans have no event: they share a list that nothing can be added to. */
const NONE = Object.freeze([]) as unknown as never[]
const UNSET: SpanStatus = { code: SpanStatusCode.UNSET }

function copyAttributes(
  from: Attributes,
  to: OtelAttributes,
  clean: (text: string) => string,
): OtelAttributes {
  for (const key in from) {
    const value = from[key]
    if (typeof value === 'string') to[key] = clean(value)
    else if (Array.isArray(value))
      to[key] = value.map((item) => (typeof item === 'string' ? clean(item) : item))
    else if (value !== undefined) to[key] = value as number | boolean
  }
  return to
}
