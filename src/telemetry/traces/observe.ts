import {
  type Context,
  context,
  INVALID_TRACEID,
  type Span,
  type SpanContext,
  SpanKind,
  TraceFlags,
  trace,
} from '@opentelemetry/api'
import { W3CTraceContextPropagator } from '@opentelemetry/core'
import { RandomIdGenerator, SamplingDecision, TraceIdRatioBasedSampler } from '@opentelemetry/sdk-trace'
import { TurnkeeperError } from '../../errors.ts'
import { OPERATIONS, type Operation } from '../catalogue.ts'
import type { Redactor } from '../redaction.ts'
import { ATTR } from '../semconv.ts'
import type { ActiveSpan, Attributes, ObserveOptions, Telemetry } from '../telemetry.ts'
import { chained } from './chained-context.ts'
import { activeCarrier, contextFromCarrier, linksFromCarriers } from './propagation.ts'
import { RecordedSpan, type SpanSink, type SpanWorld } from './span.ts'
import { type OpenBudget, openBudget, type SpanBudget, spendSpan } from './span-budget.ts'
import { spanIdOf, traceIdOf } from './span-ids.ts'

export type ObserveDependencies = {
  readonly sink: SpanSink
  readonly redactor: Pick<Redactor, 'text'>
  /** Share of the traces that begin here and are kept; the others follow their parent. */
  readonly sampling: number
  readonly captureContent: boolean
}

/** What we set is names and numbers; longer is a mistake and may be content. */
const MAX_ATTRIBUTE_CHARS = 1024
/** Of prompts and answers, where they are wanted. */
const MAX_CONTENT_CHARS = 16 * 1024

const SPAN_KINDS = {
  client: SpanKind.CLIENT,
  server: SpanKind.SERVER,
  producer: SpanKind.PRODUCER,
  consumer: SpanKind.CONSUMER,
  internal: SpanKind.INTERNAL,
} as const

const DEFAULTS: ObserveOptions = {}

/** The tracing half of `Telemetry`. */
export function createObserve({
  sink,
  redactor,
  sampling,
  captureContent,
}: ObserveDependencies): Pick<Telemetry, 'observe' | 'carrier'> {
  const maxChars = captureContent ? MAX_CONTENT_CHARS : MAX_ATTRIBUTE_CHARS
  const world: SpanWorld = { sink, capturesContent: captureContent, clean: rememberClean(redactor, maxChars) }
  const propagator = new W3CTraceContextPropagator()
  const ids = new RandomIdGenerator()
  const sampler = new TraceIdRatioBasedSampler(sampling)

  const isSampled = (traceId: string): boolean =>
    sampler.shouldSample(context.active(), traceId).decision === SamplingDecision.RECORD_AND_SAMPLED

  return {
    carrier: () => activeCarrier(propagator),
    observe<T>(
      operation: Operation,
      attributes: Attributes,
      work: (span: ActiveSpan) => Promise<T>,
      { parent: carrier, links, knownAs, startedAt }: ObserveOptions = DEFAULTS,
    ): Promise<T> {
      const within = carrier === undefined ? context.active() : contextFromCarrier(propagator, carrier)
      const above = trace.getSpan(within)
      const parent = contextOf(above)
      if (parent !== undefined && (parent.traceFlags & TraceFlags.SAMPLED) === 0)
        return runUnseen(within, work)

      const traceId = parent?.traceId ?? (knownAs ? traceIdOf(knownAs) : ids.generateTraceId())
      const spanId = knownAs ? spanIdOf(operation, knownAs) : ids.generateSpanId()
      if (parent === undefined && !isSampled(traceId)) {
        const unkept = { traceId, spanId, traceFlags: TraceFlags.NONE }
        return runUnseen(trace.setSpanContext(chained(within), unkept), work)
      }
      const name = spanName(operation, attributes)
      const budget = carrier === undefined ? spendSpan(within) : undefined
      if (budget?.isSpent) return runDropped(droppedSpan(name, budget), work)

      const span = new RecordedSpan(world, {
        ...{ name, parent, startedAt, kind: SPAN_KINDS[OPERATIONS[operation].kind] },
        context: below(parent, { traceId, spanId }),
        links: links === undefined ? [] : linksFromCarriers(propagator, links),
        origin: above instanceof RecordedSpan ? above.origin : Date.now() - performance.now(),
      })
      span.set(attributes)
      const opened = budget === undefined ? openBudget(span) : undefined
      const around = chained(within)
      const inside = trace.setSpan(opened ? opened.in(around) : around, span)
      return context.with(inside, runSeen<T>, undefined, span, work, opened)
    },
  }
}

async function runSeen<T>(
  span: RecordedSpan,
  work: (span: ActiveSpan) => Promise<T>,
  budget: OpenBudget | undefined,
): Promise<T> {
  try {
    return await work(span)
  } catch (error) {
    markRejected(span, error)
    throw error
  } finally {
    budget?.close()
    span.end()
  }
}

/** Runs work in a trace that was sampled out: nothing is worked out for it. */
async function runUnseen<T>(within: Context, work: (span: ActiveSpan) => Promise<T>): Promise<T> {
  return within === context.active() ? work(UNSEEN) : context.with(within, work, undefined, UNSEEN)
}

const UNSEEN: ActiveSpan = { capturesContent: false, set() {}, event() {}, fail() {} }

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
    capturesContent: false,
    set() {},
    event: (event, attributes) => root.event(event, { ...attributes, 'span.name': name }),
    fail: (errorType) => root.event('span.dropped', { 'span.name': name, [ATTR.errorType]: errorType }),
  }
}

/** The ids of the span above, if it has any: those of a tracer that does nothing are all zeros. */
function contextOf(above: Span | undefined): SpanContext | undefined {
  const ids = above?.spanContext()
  return ids === undefined || ids.traceId === INVALID_TRACEID ? undefined : ids
}

function below(parent: SpanContext | undefined, ids: Pick<SpanContext, 'traceId' | 'spanId'>): SpanContext {
  const { traceId, spanId } = ids
  const traceFlags = TraceFlags.SAMPLED
  return parent?.traceState === undefined
    ? { traceId, spanId, traceFlags }
    : { traceId, spanId, traceFlags, traceState: parent.traceState }
}

/** `chat glm-4.6`: the operation and, where the catalogue names a subject, its value. */
function spanName(operation: Operation, attributes: Attributes): string {
  const entry = OPERATIONS[operation]
  const subject = 'subject' in entry ? attributes[entry.subject] : undefined
  return subject === undefined ? operation : `${operation} ${subject}`
}

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
function rememberClean({ text: redact }: Pick<Redactor, 'text'>, maxChars: number): (text: string) => string {
  const clean = new Set<string>()
  return (text) => {
    if (clean.has(text)) return text
    const redacted = redact(text)
    if (redacted === text && text.length <= CLEAN_CHARS) {
      if (clean.size >= CLEAN_TEXTS) clean.clear()
      clean.add(text)
    }
    return redacted.length > maxChars ? redacted.slice(0, maxChars) : redacted
  }
}
