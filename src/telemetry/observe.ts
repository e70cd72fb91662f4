import {
  context,
  INVALID_TRACEID,
  type Attributes as OtelAttributes,
  type Span,
  type SpanContext,
  SpanKind,
  SpanStatusCode,
  type TextMapPropagator,
  TraceFlags,
  type Tracer,
  trace,
} from '@opentelemetry/api'
import { TurnkeeperError } from '../errors.ts'
import { OPERATIONS, type Operation } from './catalogue.ts'
import { activeCarrier, contextFromCarrier, linksFromCarriers } from './propagation.ts'
import type { Redactor } from './redaction.ts'
import { ATTR } from './semconv.ts'
import { openBudget, type SpanBudget, spendSpan } from './span-budget.ts'
import { type SpanIds, spanIdsOf } from './span-ids.ts'
import type { ActiveSpan, Attributes, ObserveOptions, Telemetry } from './telemetry.ts'

export type ObserveDependencies = {
  readonly tracer: Tracer
  /** Starts a span under ids that are not random. */
  readonly startAs: (ids: SpanIds, start: () => Span) => Span
  readonly propagator: TextMapPropagator
  readonly redactor: Redactor
}

const SPAN_KINDS = {
  client: SpanKind.CLIENT,
  server: SpanKind.SERVER,
  producer: SpanKind.PRODUCER,
  consumer: SpanKind.CONSUMER,
  internal: SpanKind.INTERNAL,
} as const

/** The tracing half of `Telemetry`. An exception never becomes an event: its message may hold content. */
export function createObserve({
  tracer,
  startAs,
  propagator,
  redactor: given,
}: ObserveDependencies): Pick<Telemetry, 'observe' | 'carrier'> {
  const redactor = { text: rememberClean(given) }
  return {
    carrier: () => activeCarrier(propagator),
    observe: async <T>(
      operation: Operation,
      attributes: Attributes,
      work: (span: ActiveSpan) => Promise<T>,
      { parent, links = [], knownAs, startedAt }: ObserveOptions = {},
    ): Promise<T> => {
      const within = parent === undefined ? context.active() : contextFromCarrier(propagator, parent)
      if (isSampledOut(trace.getSpanContext(within))) {
        const unseen = (): Promise<T> => work(UNSEEN)
        return parent === undefined ? unseen() : context.with(within, unseen)
      }
      const name = spanName(operation, attributes)
      const budget = parent === undefined ? spendSpan(within) : undefined
      if (budget?.isSpent) return runDropped(droppedSpan(name, budget), work)

      const start = (): Span =>
        tracer.startSpan(
          name,
          {
            kind: SPAN_KINDS[OPERATIONS[operation].kind],
            links: linksFromCarriers(propagator, links),
            ...(startedAt !== undefined && { startTime: startedAt }),
          },
          within,
        )
      const span = knownAs === undefined ? start() : startAs(spanIdsOf(operation, knownAs), start)
      const active = span.isRecording() ? activeSpan(span, redactor) : UNSEEN
      active.set(attributes) // now, not with the start: our samplers do not look at them, and most spans may be unseen
      const own = budget === undefined && span.isRecording() ? openBudget(active) : undefined
      const inside = trace.setSpan(own ? own.in(within) : within, span)
      try {
        return await context.with(inside, () => work(active))
      } catch (error) {
        markRejected(active, error)
        throw error
      } finally {
        own?.close()
        span.end()
      }
    },
  }
}

/** Runs work that has no span of its own. */
async function runDropped<T>(active: ActiveSpan, work: (span: ActiveSpan) => Promise<T>): Promise<T> {
  try {
    return await work(active)
  } catch (error) {
    markRejected(active, error)
    throw error
  }
}

/** In place of a span beyond the bound: what failed in it, or happened, is told on the span that the bound is of. */
function droppedSpan(name: string, { root }: SpanBudget): ActiveSpan {
  return {
    set() {},
    event: (event, attributes) => root.event(event, { ...attributes, 'span.name': name }),
    fail: (errorType) => root.event('span.dropped', { 'span.name': name, [ATTR.errorType]: errorType }),
  }
}

/** Our samplers follow the parent, so below a span that was sampled out there is none that would be seen. */
function isSampledOut(above: SpanContext | undefined): boolean {
  if (above === undefined || above.traceId === INVALID_TRACEID) return false
  return (above.traceFlags & TraceFlags.SAMPLED) === 0
}

/** `chat glm-4.6`: the operation and, where the catalogue names a subject, its value. */
function spanName(operation: Operation, attributes: Attributes): string {
  const entry = OPERATIONS[operation]
  const subject = 'subject' in entry ? attributes[entry.subject] : undefined
  return subject === undefined ? operation : `${operation} ${subject}`
}

function activeSpan(span: Span, redactor: Pick<Redactor, 'text'>): ActiveSpan {
  return {
    set: (attributes) => void span.setAttributes(toOtelAttributes(attributes, redactor)),
    event: (name, attributes = {}) => void span.addEvent(name, toOtelAttributes(attributes, redactor)),
    fail: (errorType) => {
      span.setAttribute(ATTR.errorType, errorType)
      span.setStatus({ code: SpanStatusCode.ERROR, message: errorType })
    },
  }
}

/** The span of a trace that was sampled out: nothing is worked out for it. */
const UNSEEN: ActiveSpan = { set() {}, event() {}, fail() {} }

function markRejected(span: ActiveSpan, error: unknown): void {
  if (isCancellation(error)) span.set({ cancelled: true })
  else span.fail(errorTypeOf(error))
}

/** Cancelling is what somebody wanted: no error, on a trace either. */
function isCancellation(error: unknown): boolean {
  if (error instanceof TurnkeeperError) return error.reason === 'cancelled'
  return error instanceof Error && error.name === 'AbortError'
}

function errorTypeOf(error: unknown): string {
  if (error instanceof TurnkeeperError) return error.code
  return error instanceof Error ? error.name : '_OTHER'
}

/** So many texts, and no longer ones, are remembered; then all are forgotten. */
const CLEAN_TEXTS = 512
const CLEAN_CHARS = 64

/**
 * Redaction that looks at a text only once while it is remembered: attributes are names of routes, models and agents,
 * which come again with every span. Only texts with nothing to hide are kept.
 */
function rememberClean({ text: redact }: Redactor): (text: string) => string {
  const clean = new Set<string>()
  return (text) => {
    if (clean.has(text)) return text
    const redacted = redact(text)
    if (redacted === text && text.length <= CLEAN_CHARS) {
      if (clean.size >= CLEAN_TEXTS) clean.clear()
      clean.add(text)
    }
    return redacted
  }
}

function toOtelAttributes(attributes: Attributes, redactor: Pick<Redactor, 'text'>): OtelAttributes {
  const result: OtelAttributes = {}
  for (const key in attributes) {
    const value = attributes[key]
    if (value !== undefined) result[key] = typeof value === 'string' ? redactor.text(value) : value
  }
  return result
}
