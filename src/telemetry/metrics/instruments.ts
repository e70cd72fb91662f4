/**
 * The catalogue as instruments, called as they stand there on the page and over OTLP alike. Counting is a look-up in
 * memory; the SDK of OpenTelemetry, which sorts and serializes the labels of every measurement, only exports.
 */

import { ValueType } from '@opentelemetry/api'
import { millisToHrTime } from '@opentelemetry/core'
import {
  AggregationTemporality,
  type DataPoint,
  DataPointType,
  type Histogram,
  type MetricData,
} from '@opentelemetry/sdk-metrics'
import {
  COUNTERS,
  type CounterName,
  GAUGES,
  type GaugeName,
  HISTOGRAMS,
  type HistogramName,
} from '../catalogue.ts'
import type { Labels, Telemetry } from '../telemetry.ts'
import { createSeriesTable, type SeriesTable } from './series.ts'

export type InstrumentOptions = {
  /** Throw where labels differ from the catalogue's: for tests, as it costs on every call. Default false. */
  readonly strictLabels?: boolean
}

export type Instruments = Pick<Telemetry, 'count' | 'record' | 'gauge'> & {
  /** Every metric that has a series, as it stands now. */
  collect(): MetricData[]
}

type Sum = { value: number }
type Distribution = { count: number; sum: number; readonly counts: number[] }
type GaugeReader = () => Iterable<readonly [Labels, number]>

/** The metrics half of `Telemetry`. A gauge's reader that throws loses its own samples only. */
export function createInstruments({ strictLabels = false }: InstrumentOptions = {}): Instruments {
  const counters = mapNames(COUNTERS, ({ labels }) => createSeriesTable<Sum>(labels, () => ({ value: 0 })))
  const histograms = mapNames(HISTOGRAMS, ({ labels, buckets }) =>
    createSeriesTable<Distribution>(labels, () => ({
      ...{ count: 0, sum: 0 },
      counts: Array.from({ length: buckets.length + 1 }, () => 0),
    })),
  )
  const readers = mapNames(GAUGES, () => new Set<GaugeReader>())
  const check = strictLabels ? checkLabels : () => {}
  const since = Date.now()

  return {
    count(metric, labels, value = 1) {
      check(metric, labels)
      counters[metric].at(labels).value += value
    },
    record(metric, labels, value) {
      check(metric, labels)
      const { buckets } = HISTOGRAMS[metric]
      const distribution = histograms[metric].at(labels)
      distribution.count += 1
      distribution.sum += value
      let bucket = 0
      while (bucket < buckets.length && value > buckets[bucket]!) bucket += 1
      distribution.counts[bucket]! += 1
    },
    gauge(metric, read) {
      const reader: GaugeReader = function* () {
        for (const sample of read()) {
          check(metric, sample[0])
          yield sample
        }
      }
      readers[metric].add(reader)
      return () => void readers[metric].delete(reader)
    },
    collect() {
      const period = { startTime: millisToHrTime(since), endTime: millisToHrTime(Date.now()) }
      const counts = namesOf(COUNTERS).map((name) => ({
        descriptor: descriptorOf(name, COUNTERS[name]),
        ...({
          dataPointType: DataPointType.SUM,
          aggregationTemporality: CUMULATIVE,
          isMonotonic: true,
        } as const),
        dataPoints: pointsOf(counters[name], ({ value }) => value, period),
      }))
      const distributions = namesOf(HISTOGRAMS).map((name) => ({
        descriptor: descriptorOf(name, HISTOGRAMS[name]),
        ...({ dataPointType: DataPointType.HISTOGRAM, aggregationTemporality: CUMULATIVE } as const),
        dataPoints: pointsOf(histograms[name], toHistogram(HISTOGRAMS[name].buckets), period),
      }))
      const levels = namesOf(GAUGES).map((name) => ({
        descriptor: descriptorOf(name, GAUGES[name]),
        ...({ dataPointType: DataPointType.GAUGE, aggregationTemporality: DELTA } as const),
        dataPoints: readAll(readers[name], period),
      }))
      return [...counts, ...distributions, ...levels].filter(({ dataPoints }) => dataPoints.length > 0)
    },
  }
}

type Period = Pick<DataPoint<number>, 'startTime' | 'endTime'>

function pointsOf<Cell, Value>(
  series: SeriesTable<Cell>,
  toValue: (cell: Cell) => Value,
  period: Period,
): DataPoint<Value>[] {
  return series.all().map(({ labels, cell }) => ({ ...period, attributes: labels, value: toValue(cell) }))
}

function readAll(readers: ReadonlySet<GaugeReader>, period: Period): DataPoint<number>[] {
  const points: DataPoint<number>[] = []
  for (const read of readers) {
    try {
      for (const [labels, value] of read()) points.push({ ...period, attributes: labels, value })
    } catch {
      // The scrape goes on: a missing series is seen by the alert on absence, a failing page hides everything.
    }
  }
  return points
}

const { CUMULATIVE, DELTA } = AggregationTemporality

function descriptorOf(
  name: string,
  { description, unit }: { readonly description: string; readonly unit: string },
): MetricData['descriptor'] {
  return { name, description, unit, valueType: ValueType.DOUBLE }
}

const toHistogram =
  (buckets: readonly number[]) =>
  ({ count, sum, counts }: Distribution): Histogram => ({
    ...{ count, sum },
    buckets: { boundaries: [...buckets], counts: [...counts] },
  })

function checkLabels(metric: CounterName | HistogramName | GaugeName, labels: Labels): void {
  const expected = [...{ ...COUNTERS, ...HISTOGRAMS, ...GAUGES }[metric].labels].sort().join(', ')
  const given = Object.keys(labels).sort().join(', ')
  if (given !== expected) throw new TypeError(`${metric}: expected the labels ${expected}, got ${given}`)
}

function namesOf<Entries extends Readonly<Record<string, object>>>(
  entries: Entries,
): readonly (keyof Entries & string)[] {
  return Object.keys(entries) as (keyof Entries & string)[] // the catalogue's literal has these keys and no others
}

function mapNames<Entries extends Readonly<Record<string, object>>, Result>(
  entries: Entries,
  map: (entry: Entries[keyof Entries]) => Result,
): Readonly<Record<keyof Entries, Result>> {
  // every name of the catalogue gets its instrument, which `fromEntries` cannot say
  return Object.fromEntries(namesOf(entries).map((name) => [name, map(entries[name]!)])) as Record<
    keyof Entries,
    Result
  >
}
