/** The page that Prometheus reads: https://prometheus.io/docs/instrumenting/exposition_formats/#text-format-details. */

import type { Attributes } from '@opentelemetry/api'
import {
  type DataPoint,
  DataPointType,
  type Histogram,
  type MetricData,
  type ResourceMetrics,
} from '@opentelemetry/sdk-metrics'

/**
 * A writer that remembers the labels of each series as text: they are most of a page and stay the same from scrape to
 * scrape. (The exporter's serializer escapes them anew for every bucket, 3 to 4 ms for 1,000 series.)
 */
export function createPageWriter(): (metrics: ResourceMetrics) => string {
  const written = new WeakMap<Attributes, string>()
  const labelsOf = (attributes: Attributes): string => {
    const known = written.get(attributes)
    if (known !== undefined) return known
    const text = Object.entries(attributes).map(([name, value]) => `${validName(name)}="${escaped(value)}"`)
    written.set(attributes, text.join(','))
    return text.join(',')
  }
  return ({ resource, scopeMetrics }) => {
    const target = `target_info{${labelsOf(resource.attributes)}} 1\n`
    const metrics = scopeMetrics.flatMap((scope) => scope.metrics).map((metric) => family(metric, labelsOf))
    return head('target_info', { type: 'gauge', help: 'Target metadata' }) + target + metrics.join('')
  }
}

type LabelsOf = (attributes: Attributes) => string

/** One metric with all of its series; nothing for one that has none. */
function family({ descriptor, ...data }: MetricData, labelsOf: LabelsOf): string {
  if (data.dataPoints.length === 0) return ''
  const { description: help, unit } = descriptor
  const name = validName(descriptor.name)
  switch (data.dataPointType) {
    case DataPointType.HISTOGRAM: {
      const samples = data.dataPoints.map((point) => histogram(name, point, labelsOf(point.attributes)))
      return head(name, { type: 'histogram', help, unit }) + samples.join('')
    }
    case DataPointType.SUM:
      if (!data.isMonotonic) return simple(name, { type: 'gauge', help, unit })
      return simple(name.endsWith('_total') ? name : `${name}_total`, { type: 'counter', help, unit })
    case DataPointType.GAUGE:
      return simple(name, { type: 'gauge', help, unit })
    case DataPointType.EXPONENTIAL_HISTOGRAM:
      throw new TypeError(`${name}: an exponential histogram has no form in this format`)
  }
  function simple(called: string, about: About): string {
    const points = data.dataPoints as readonly DataPoint<number>[] // all kinds but histograms
    const samples = points.map(({ attributes, value }) => {
      const labels = labelsOf(attributes)
      return `${called}${labels === '' ? '' : `{${labels}}`} ${valueText(value)}\n`
    })
    return head(called, about) + samples.join('')
  }
}

type About = { readonly type: string; readonly help: string; readonly unit?: string }

function head(name: string, { type, help, unit = '' }: About): string {
  const unitLine = unit === '' ? '' : `# UNIT ${name} ${unit}\n`
  return `# HELP ${name} ${help.replaceAll('\\', '\\\\').replaceAll('\n', '\\n')}\n${unitLine}# TYPE ${name} ${type}\n`
}

function histogram(name: string, { value }: DataPoint<Histogram>, labels: string): string {
  const { count, sum, buckets } = value
  const own = labels === '' ? '' : `{${labels}}`
  const before = labels === '' ? '' : `${labels},`
  let text = `${name}_count${own} ${count}\n`
  if (sum !== undefined) text += `${name}_sum${own} ${valueText(sum)}\n`
  let cumulative = 0
  buckets.counts.forEach((inBucket, i) => {
    cumulative += inBucket
    const most = buckets.boundaries[i] ?? Number.POSITIVE_INFINITY
    text += `${name}_bucket{${before}le="${valueText(most)}"} ${cumulative}\n`
  })
  return text
}

function valueText(value: number): string {
  if (Number.isFinite(value) || Number.isNaN(value)) return String(value)
  return value > 0 ? '+Inf' : '-Inf'
}

function validName(name: string): string {
  return name.replace(/[^a-zA-Z0-9_]/g, '_')
}

function escaped(value: Attributes[string]): string {
  const text = typeof value === 'string' ? value : (JSON.stringify(value) ?? '')
  return text.replaceAll('\\', '\\\\').replaceAll('\n', '\\n').replaceAll('"', '\\"')
}
