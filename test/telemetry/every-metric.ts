import {
  COUNTERS,
  type CounterName,
  GAUGES,
  type GaugeName,
  HISTOGRAMS,
  type HistogramName,
} from '../../src/telemetry/catalogue.ts'
import type { Telemetry } from '../../src/telemetry/telemetry.ts'

// the literals of the catalogue have exactly these keys
export const counters = Object.keys(COUNTERS) as CounterName[]
export const histograms = Object.keys(HISTOGRAMS) as HistogramName[]
export const gauges = Object.keys(GAUGES) as GaugeName[]

const labelsOf = (entry: { labels: readonly string[] }): Record<string, string> =>
  Object.fromEntries(entry.labels.map((label) => [label, `a "${label}"`]))

/** Gives every metric of the catalogue a series. */
export function exerciseAll(telemetry: Telemetry): void {
  for (const name of counters) telemetry.count(name, labelsOf(COUNTERS[name]), 0)
  for (const name of histograms) telemetry.record(name, labelsOf(HISTOGRAMS[name]), 0.2)
  for (const name of gauges) telemetry.gauge(name, () => [[labelsOf(GAUGES[name]), 1]])
}
