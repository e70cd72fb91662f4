import type { ActiveSpan, Telemetry } from './telemetry.ts'

const nothing = (): void => {}
const span: ActiveSpan = { capturesContent: false, set: nothing, event: nothing, fail: nothing }

/** Telemetry that keeps nothing: the default of everything that can run without it. */
export const noTelemetry: Telemetry = {
  observe: (_operation, _attributes, work) => work(span),
  count: nothing,
  record: nothing,
  gauge: () => nothing,
  carrier: () => ({}),
  log: { debug: nothing, info: nothing, warn: nothing, error: nothing },
}
