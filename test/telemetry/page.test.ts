import { PrometheusSerializer } from '@opentelemetry/exporter-prometheus'
import { resourceFromAttributes } from '@opentelemetry/resources'
import { expect, test } from 'vitest'
import { COUNTERS, GAUGES, HISTOGRAMS } from '../../src/telemetry/catalogue.ts'
import { createInstruments } from '../../src/telemetry/metrics/instruments.ts'
import { createPageWriter } from '../../src/telemetry/metrics/page.ts'
import { counters, gauges, histograms } from './every-metric.ts'

const labelsOf = ({ labels }: { readonly labels: readonly string[] }): Record<string, string> =>
  Object.fromEntries(labels.map((label) => [label, `a "${label}"\n\\`]))
const lines = (page: string): string[] => page.split('\n').filter((line) => line !== '')

test("the page is line for line what OpenTelemetry's own serializer writes, scrape after scrape", () => {
  const { count, record, gauge, collect } = createInstruments()
  const resource = resourceFromAttributes({ 'service.name': 'test' })
  const write = createPageWriter()
  for (const name of gauges) {
    const labels = labelsOf(GAUGES[name])
    gauge(name, () => [
      [labels, 1e-7],
      [{ ...labels, more: 'x' }, Number.POSITIVE_INFINITY],
    ])
  }
  for (let scrape = 0; scrape < 2; scrape++) {
    for (const name of counters) count(name, labelsOf(COUNTERS[name]), 3.5)
    for (const name of histograms) {
      for (const value of [0.2, 1e9]) record(name, labelsOf(HISTOGRAMS[name]), value)
    }
    const resourceMetrics = { resource, scopeMetrics: [{ scope: { name: 'test' }, metrics: collect() }] }
    const theirs = new PrometheusSerializer('', false, undefined, false, true).serialize(resourceMetrics)
    expect(lines(write(resourceMetrics))).toEqual(lines(theirs))
  }
})
