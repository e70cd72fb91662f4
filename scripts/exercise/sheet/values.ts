import type { PanelData, Series, TimeRange } from '../panels.ts'
import { colorOf, thresholdColor } from './colors.ts'
import { fieldOf, valueText } from './fields.ts'
import { escaped, legendText } from './format.ts'

type Frame = { readonly width: number; readonly height: number; readonly range: TimeRange }

/** The last value of each series, large, in the colour of its limit. */
export function numbersHtml({ panel, answers }: PanelData): string {
  const { thresholds } = panel.fieldConfig?.defaults ?? {}
  const series = answers.flatMap(({ target, series }) =>
    series.map((one) => ({ name: legendText(target.legendFormat, one.labels), value: lastOf(one) })),
  )
  const numbers = series.map(({ name, value }) => {
    const label = series.length > 1 ? `<small>${escaped(name)}</small>` : ''
    const field = fieldOf(panel, name)
    const word = field.words[String(value)]
    const color = word ? colorOf(word.color) : thresholdColor(value, thresholds?.steps)
    return `<div class="number" style="color:${color}">${label}${valueText(value, field)}</div>`
  })
  return `<div class="numbers">${numbers.join('')}</div>`
}

/** A bar for each series, in the colour of the state that it was in. */
export function statesHtml({ panel, answers }: PanelData, { width, height, range }: Frame): string {
  const states = panel.fieldConfig?.defaults.mappings?.[0]?.options ?? {}
  const share = (at: number): number =>
    (100 * (at - range.fromSeconds)) / (range.toSeconds - range.fromSeconds)
  const rows = answers.flatMap(({ target, series }) =>
    series.map((one) => {
      const bars = spansOf(one).map(({ from, to, value }) => {
        const state = states[String(value)] ?? { text: String(value), color: 'grey' }
        return `<i title="${escaped(state.text)}" style="left:${share(from)}%;width:${share(to) - share(from)}%;background:${colorOf(state.color)}"><em>${escaped(state.text)}</em></i>`
      })
      return `<div class="state"><span>${escaped(legendText(target.legendFormat, one.labels))}</span><div>${bars.join('')}</div></div>`
    }),
  )
  return `<div class="states" style="width:${width}px;height:${height}px">${rows.join('')}</div>`
}

/** A row for each combination of labels, with a column for each query, as Grafana's "merge" makes it. */
export function tableHtml({ panel, answers }: PanelData, { height }: Frame): string {
  const rows = new Map<string, { labels: Readonly<Record<string, string>>; values: Map<string, number> }>()
  for (const { target, series } of answers) {
    for (const one of series) {
      const { __name__: _name, ...labels } = one.labels
      const key = JSON.stringify(Object.entries(labels).sort())
      const row = rows.get(key) ?? { labels, values: new Map() }
      row.values.set(target.legendFormat, lastOf(one))
      rows.set(key, row)
    }
  }
  const labels = [...new Set([...rows.values()].flatMap((row) => Object.keys(row.labels)))]
  const columns = answers.map(({ target }) => target.legendFormat)
  const head = [
    ...labels.map((name) => `<th>${escaped(name)}</th>`),
    ...columns.map((name) => `<th class="value">${escaped(name)}</th>`),
  ].join('')
  const most = Math.floor((height - 30) / 21)
  const body = [...rows.values()].slice(0, most).map((row) => {
    const cells = labels.map((name) => `<td>${escaped(row.labels[name] ?? '')}</td>`)
    const values = columns.map((name) => {
      const value = row.values.get(name)
      return `<td class="value">${value === undefined ? '' : valueText(value, fieldOf(panel, name))}</td>`
    })
    return `<tr>${cells.join('')}${values.join('')}</tr>`
  })
  const more = rows.size > most ? `<small>and ${rows.size - most} more</small>` : ''
  return `<table><tr>${head}</tr>${body.join('')}</table>${more}`
}

function lastOf({ points }: Series): number {
  return points.at(-1)?.[1] ?? Number.NaN
}

/** Stretches of the same value. */
function spansOf({ points }: Series): { from: number; to: number; value: number }[] {
  const spans: { from: number; to: number; value: number }[] = []
  for (const [at, value] of points) {
    const last = spans.at(-1)
    if (last) last.to = at
    if (last?.value !== value) spans.push({ from: at, to: at, value })
  }
  return spans
}
