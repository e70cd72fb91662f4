/**
 * What the rest of the house knows of telemetry: one narrow contract. Spans, metrics and their labels are named
 * in `catalogue.ts`; the OpenTelemetry SDK and pino are reached from this folder alone.
 */

import type { CounterName, GaugeName, HistogramName, Operation } from './catalogue.ts'

/**
 * Enums, configured ids and numbers only: never a key or a URL with a query, and a prompt or an answer only in a span
 * that `capturesContent`.
 */
export type Attributes = Readonly<Record<string, string | number | boolean | readonly string[] | undefined>>

/** Values of a metric's labels, all of them as the catalogue lists them. */
export type Labels = Readonly<Record<string, string>>

/** W3C trace context as text, to cross a process border. */
export type Carrier = { readonly traceparent?: string; readonly tracestate?: string }

/** The span of the operation under way. */
export type ActiveSpan = {
  /** Whether it may hold prompts, answers, tool arguments and results. */
  readonly capturesContent: boolean
  set(attributes: Attributes): void
  event(name: string, attributes?: Attributes): void
  /** Ends the span with error status; `errorType` is an error code or another low-cardinality word. */
  fail(errorType: string): void
}

export type ObserveOptions = {
  /** Continue this trace instead of the active one. */
  readonly parent?: Carrier
  /** Spans that caused this one without containing it. */
  readonly links?: readonly Carrier[]
  /** Ids derived from these names instead of random ones. */
  readonly knownAs?: KnownAs
  /** When the work began, in epoch milliseconds, where that was earlier than now. */
  readonly startedAt?: number
}

/** Names that are the same in every process: of the trace (used only without a parent) and of the span in it. */
export type KnownAs = { readonly trace: string; readonly span: string }

export type LogFields = Readonly<Record<string, unknown>>

/** One JSON line a call, with the ids of the active span. */
export type Log = {
  debug(fields: LogFields, message: string): void
  info(fields: LogFields, message: string): void
  warn(fields: LogFields, message: string): void
  error(fields: LogFields, message: string): void
}

export type Telemetry = {
  /**
   * Runs `work` inside a span of the catalogue. A rejection marks the span failed with the error's code and goes
   * on to the caller; a cancellation marks it `cancelled` and no error. An expected failure is marked with
   * `span.fail`. Beyond a bound (`span-budget.ts`) the work runs without a span of its own.
   */
  observe<T>(
    operation: Operation,
    attributes: Attributes,
    work: (span: ActiveSpan) => Promise<T>,
    options?: ObserveOptions,
  ): Promise<T>
  /** Adds to a counter; 0 makes the series exist. */
  count(metric: CounterName, labels: Labels, value?: number): void
  /** Records into a histogram, in the unit that stands in its name. */
  record(metric: HistogramName, labels: Labels, value: number): void
  /** Registers a gauge that is read from memory at each scrape; returns its removal. */
  gauge(metric: GaugeName, read: () => Iterable<readonly [Labels, number]>): () => void
  /** The active span as text, for a message to another process. */
  carrier(): Carrier
  readonly log: Log
}
