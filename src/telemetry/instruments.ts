/** The catalogue as instruments, each built once and called as it stands there: on the page and over OTLP alike. */

import type { Meter } from '@opentelemetry/api'
import {
  COUNTERS,
  type CounterName,
  GAUGES,
  type GaugeName,
  HISTOGRAMS,
  type HistogramName,
} from './catalogue.ts'
import type { Labels, Telemetry } from './telemetry.ts'

export type InstrumentOptions = {
  /** Throw where labels differ from the catalogue's: for tests, as it costs on every call. Default false. */
  readonly strictLabels?: boolean
}

type GaugeReader = () => Iterable<readonly [Labels, number]>

/** The metrics half of `Telemetry`. A gauge's reader that throws loses its own samples only. */
export function createInstruments(
  meter: Meter,
  { strictLabels = false }: InstrumentOptions = {},
): Pick<Telemetry, 'count' | 'record' | 'gauge'> {
  const counters = mapNames(COUNTERS, (name, { description, unit }) =>
    meter.createCounter(name, { description, unit }),
  )
  const histograms = mapNames(HISTOGRAMS, (name, { description, unit, buckets }) =>
    meter.createHistogram(name, {
      description,
      unit,
      advice: { explicitBucketBoundaries: [...buckets] },
    }),
  )
  const readers = mapNames(GAUGES, (name) => createGauge(meter, name))
  const check = strictLabels ? checkLabels : () => {}

  return {
    count: (metric, labels, value = 1) => {
      check(metric, labels)
      counters[metric].add(value, labels)
    },
    record: (metric, labels, value) => {
      check(metric, labels)
      histograms[metric].record(value, labels)
    },
    gauge: (metric, read) => {
      const reader: GaugeReader = function* () {
        for (const sample of read()) {
          check(metric, sample[0])
          yield sample
        }
      }
      readers[metric].add(reader)
      return () => void readers[metric].delete(reader)
    },
  }
}

function createGauge(meter: Meter, name: GaugeName): Set<GaugeReader> {
  const readers = new Set<GaugeReader>()
  const { description, unit } = GAUGES[name]
  meter.createObservableGauge(name, { description, unit }).addCallback((result) => {
    for (const read of readers) {
      try {
        for (const [labels, value] of read()) result.observe(value, labels)
      } catch {
        // The scrape goes on: a missing series is seen by the alert on absence, a failing page hides everything.
      }
    }
  })
  return readers
}

function checkLabels(metric: CounterName | HistogramName | GaugeName, labels: Labels): void {
  const expected = [...{ ...COUNTERS, ...HISTOGRAMS, ...GAUGES }[metric].labels].sort().join(', ')
  const given = Object.keys(labels).sort().join(', ')
  if (given !== expected) throw new TypeError(`${metric}: expected the labels ${expected}, got ${given}`)
}

function mapNames<Entries extends Readonly<Record<string, object>>, Result>(
  entries: Entries,
  map: (name: keyof Entries & string, entry: Entries[keyof Entries]) => Result,
): Readonly<Record<keyof Entries, Result>> {
  const names = Object.keys(entries) as (keyof Entries & string)[] // the catalogue's literal has these keys and no others
  // every name of the catalogue gets its instrument, which `fromEntries` cannot say
  return Object.fromEntries(names.map((name) => [name, map(name, entries[name]!)])) as Record<
    keyof Entries,
    Result
  >
}
