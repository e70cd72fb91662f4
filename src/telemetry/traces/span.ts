/**
 * A span under way. It is OpenTelemetry's `Span`, so that spans of others nest in it, and its `ReadableSpan`, so that the
 * SDK's batches and exporters take it; and it is the `ActiveSpan` that our own code sees. The SDK's span checks, copies and
 * stamps more than we need: that was half of what a turn's telemetry cost.
 *
 * S1. Attributes are redacted, then cut; nothing is redacted at the export.
 * S2. An exception of others becomes the name of its class: its message may hold content.
 */

import {
  type Exception,
  type HrTime,
  type Link,
  type Attributes as OtelAttributes,
  type Span,
  type SpanContext,
  type SpanKind,
  type SpanStatus,
  SpanStatusCode,
} from '@opentelemetry/api'
import { millisToHrTime } from '@opentelemetry/core'
import type { ReadableSpan, TimedEvent } from '@opentelemetry/sdk-trace'
import { ATTR } from '../semconv.ts'
import type { ActiveSpan, Attributes } from '../telemetry.ts'

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
  readonly context: SpanContext
  readonly parent: SpanContext | undefined
  readonly links: Link[]
  /** Epoch milliseconds at the origin of `performance.now()`: the same for a whole trace, so that its spans fit together. */
  readonly origin: number
  /** Epoch milliseconds. Default: now. */
  readonly startedAt: number | undefined
}

export class RecordedSpan implements Span, ReadableSpan, ActiveSpan {
  name: string
  readonly kind: SpanKind
  readonly parentSpanContext?: SpanContext
  readonly attributes: OtelAttributes = {}
  readonly links: Link[]
  readonly events: TimedEvent[] = []
  status: SpanStatus = UNSET
  readonly droppedAttributesCount = 0
  readonly droppedEventsCount = 0
  readonly droppedLinksCount = 0
  readonly origin: number
  readonly #world: SpanWorld
  readonly #context: SpanContext
  readonly #startMs: number
  #endMs: number | undefined

  constructor(world: SpanWorld, { name, kind, context, parent, links, origin, startedAt }: SpanStart) {
    this.name = name
    this.kind = kind
    if (parent !== undefined) this.parentSpanContext = parent
    this.links = links
    this.origin = origin
    this.#world = world
    this.#context = context
    this.#startMs = startedAt ?? this.#now()
  }

  #now(): number {
    return this.origin + performance.now()
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
    this.events.push({ name, time: millisToHrTime(this.#now()), attributes: own })
  }

  fail(errorType: string): void {
    this.set({ [ATTR.errorType]: errorType })
    this.setStatus({ code: SpanStatusCode.ERROR, message: errorType })
  }

  end(): void {
    if (this.#endMs !== undefined) return
    this.#endMs = Math.max(this.#startMs, this.#now())
    this.#world.sink.ended(this)
  }

  // What only foreign code asks for, which finds this span as the active one.

  spanContext(): SpanContext {
    return this.#context
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
    if (this.isRecording()) this.links.push(...links.map(({ context }) => ({ context })))
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

  get startTime(): HrTime {
    return millisToHrTime(this.#startMs)
  }

  get endTime(): HrTime {
    return millisToHrTime(this.#endMs ?? this.#startMs)
  }

  get duration(): HrTime {
    return millisToHrTime((this.#endMs ?? this.#startMs) - this.#startMs)
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
