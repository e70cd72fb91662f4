import {
  type Context,
  INVALID_TRACEID,
  ROOT_CONTEXT,
  type Span,
  type SpanContext,
  SpanKind,
  TraceFlags,
  trace,
} from '@opentelemetry/api'
import { SamplingDecision, TraceIdRatioBasedSampler } from '@opentelemetry/sdk-trace'
import { TurnkeeperError } from '../../errors.ts'
import { OPERATIONS, type Operation } from '../catalogue.ts'
import type { Redactor } from '../redaction.ts'
import { ATTR } from '../semconv.ts'
import type { ActiveSpan, Attributes, ObserveOptions, Telemetry } from '../telemetry.ts'
import { ChainedContext } from './chained-context.ts'
import { carrierOf, carrierOfIds, idsFromCarrier } from './propagation.ts'
import { shareContext } from './shared-context.ts'
import { RecordedSpan, SPAN_KEY, type SpanSink, type SpanWorld } from './span.ts'
import { BUDGET_KEY, type SpanBudget } from './span-budget.ts'
import { createRandomIds, spanIdOf, traceIdOf } from './span-ids.ts'

export type ObserveDependencies = {
  readonly sink: SpanSink
  /** `knownSecrets`: how many it knows; with more of them a text that was clean may be so no longer. Default: always as many. */
  readonly redactor: Pick<Redactor, 'text'> & { readonly knownSecrets?: () => number }
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
  const contexts = shareContext()
  const random = createRandomIds()
  const isSampled = sampler(sampling)

  return {
    carrier() {
      const active = contexts.active()
      return active instanceof RecordedSpan ? carrierOfIds(active) : carrierOf(active)
    },
    observe<T>(
      operation: Operation,
      attributes: Attributes,
      work: Work<T>,
      { parent: carrier, links, knownAs, startedAt }: ObserveOptions = DEFAULTS,
    ): Promise<T> {
      const around = contexts.active()
      // a span that a carrier names stands in the place of the active one
      const above = carrier === undefined ? spanOf(around) : undefined
      const parent = carrier === undefined ? idsOf(above) : idsFromCarrier(carrier)
      if (parent !== undefined && (parent.traceFlags & TraceFlags.SAMPLED) === 0) {
        if (carrier === undefined) return started(UNSEEN, work)
        return contexts.with(unseen(around, parent), started<T>, undefined, UNSEEN, work)
      }
      const traceId = parent?.traceId ?? (knownAs ? traceIdOf(knownAs) : random.traceId())
      const spanId = knownAs ? spanIdOf(operation, knownAs) : random.spanId()
      if (parent === undefined && !isSampled(traceId)) {
        const ids = { traceId, spanId, traceFlags: TraceFlags.NONE }
        return contexts.with(unseen(around, ids), started<T>, undefined, UNSEEN, work)
      }
      const name = spanName(operation, attributes)
      const budget = carrier === undefined ? budgetOf(around) : undefined
      if (budget !== undefined && !budget.spend()) return runDropped(droppedSpan(name, budget), work)

      const span = new RecordedSpan(world, {
        name,
        kind: SPAN_KINDS[OPERATIONS[operation].kind],
        traceId,
        spanId,
        parent,
        links: links?.flatMap((other) => (other === carrier ? parent : idsFromCarrier(other)) ?? []),
        around,
        budget,
        startedAt,
      })
      span.set(attributes)
      return contexts.with(span, runSeen<T>, undefined, span, work)
    },
  }
}

type Work<T> = (span: ActiveSpan) => Promise<T>

/** Runs work in a span that ends with it. By `then`, which leaves half as much garbage behind as an async function. */
function runSeen<T>(span: RecordedSpan, work: Work<T>): Promise<T> {
  return started(span, work).then(
    (value) => {
      span.end()
      return value
    },
    (error: unknown) => {
      markRejected(span, error)
      span.end()
      throw error
    },
  )
}

/** Runs work that has no span of its own. */
async function runDropped<T>(active: ActiveSpan, work: Work<T>): Promise<T> {
  try {
    return await work(active)
  } catch (error) {
    markRejected(active, error)
    throw error
  }
}

/** Runs work; what it throws before it first waits is a rejection too. */
function started<T>(span: ActiveSpan, work: Work<T>): Promise<T> {
  try {
    return work(span)
  } catch (error) {
    return Promise.reject(error)
  }
}

/** In a trace that was sampled out: nothing is worked out for it. */
const UNSEEN: ActiveSpan = { capturesContent: false, set() {}, event() {}, fail() {} }

/** In place of a span beyond the bound: what failed in it, or happened, is told on the span that the bound is of. */
function droppedSpan(name: string, { root }: SpanBudget): ActiveSpan {
  return {
    capturesContent: false,
    set() {},
    event: (event, attributes) => root.event(event, { ...attributes, 'span.name': name }),
    fail: (errorType) => root.event('span.dropped', { 'span.name': name, [ATTR.errorType]: errorType }),
  }
}

/** A context whose span is not kept, nor anything in it. */
function unseen(around: Context, ids: SpanContext): Context {
  return new ChainedContext(around, SPAN_KEY, trace.wrapSpanContext(ids))
}

function spanOf(within: Context): Span | undefined {
  return within instanceof RecordedSpan ? within : trace.getSpan(within)
}

/** The ids of the span above, if it has any: those of a tracer that does nothing are all zeros. */
function idsOf(above: Span | undefined): SpanContext | undefined {
  if (above instanceof RecordedSpan) return above
  const ids = above?.spanContext()
  return ids === undefined || ids.traceId === INVALID_TRACEID ? undefined : ids
}

function budgetOf(within: Context): SpanBudget | undefined {
  if (within instanceof RecordedSpan) return within.budget
  return within.getValue(BUDGET_KEY) as SpanBudget | undefined // the key is ours alone
}

/** `chat glm-4.6`: the operation and, where the catalogue names a subject, its value. */
function spanName(operation: Operation, attributes: Attributes): string {
  const entry = OPERATIONS[operation]
  const subject = 'subject' in entry ? attributes[entry.subject] : undefined
  return subject === undefined ? operation : `${operation} ${subject}`
}

/** Whether a trace that begins here is kept: the same for a trace id in every process. */
function sampler(sampling: number): (traceId: string) => boolean {
  if (sampling >= 1) return () => true
  if (sampling <= 0) return () => false
  const ratio = new TraceIdRatioBasedSampler(sampling)
  const { RECORD_AND_SAMPLED } = SamplingDecision
  return (traceId) => ratio.shouldSample(ROOT_CONTEXT, traceId).decision === RECORD_AND_SAMPLED
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
function rememberClean(
  { text: redact, knownSecrets = () => 0 }: ObserveDependencies['redactor'],
  maxChars: number,
): (text: string) => string {
  const clean = new Set<string>()
  let cleanFor = knownSecrets()
  return (text) => {
    if (cleanFor !== knownSecrets()) {
      cleanFor = knownSecrets()
      clean.clear()
    }
    if (clean.has(text)) return text
    const redacted = redact(text)
    if (redacted === text && text.length <= CLEAN_CHARS) {
      if (clean.size >= CLEAN_TEXTS) clean.clear()
      clean.add(text)
    }
    return redacted.length > maxChars ? redacted.slice(0, maxChars) : redacted
  }
}
