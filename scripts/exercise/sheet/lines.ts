import type { Panel, PanelData, Series, TimeRange } from '../panels.ts'
import { COLORS, colorOf } from './colors.ts'
import { fieldOf } from './fields.ts'
import { escaped, legendText, withUnit } from './format.ts'

type Line = { readonly name: string; readonly series: Series; readonly color: string }
type Defaults = NonNullable<Panel['fieldConfig']>['defaults']
type Frame = { readonly width: number; readonly height: number; readonly range: TimeRange }

const LEFT = 62
const BOTTOM = 18
const TOP = 6
const LEGEND_ROWS = 5

/** Lines over time, stacked where the panel says so, with the limits as dashed lines and the last values below. */
export function linesSvg({ panel, answers }: PanelData, frame: Frame): string {
  const defaults = panel.fieldConfig?.defaults ?? {}
  const lines = answers
    .flatMap(({ target, series }) =>
      series.map((one) => ({ name: legendText(target.legendFormat, one.labels), series: one })),
    )
    .map((line, index): Line => {
      const own = fieldOf(panel, line.name).color
      return { ...line, color: own === undefined ? (COLORS[index % COLORS.length] as string) : colorOf(own) }
    })
  const isStacked = defaults.custom?.stacking?.mode === 'normal'
  const drawn = isStacked ? stacked(lines) : lines.map((line) => ({ ...line, base: undefined }))
  const limits = defaults.custom?.thresholdsStyle
    ? (defaults.thresholds?.steps ?? []).filter(({ value }) => value !== null)
    : []
  const values = drawn.flatMap(({ series }) => series.points.map(([, value]) => value))
  const top = niceTop(Math.max(0, ...values))
  const legendHeight = Math.min(LEGEND_ROWS, lines.length) * 15 + 4
  const plot = { ...frame, height: frame.height - legendHeight }
  const y = (value: number): number => TOP + (plot.height - TOP - BOTTOM) * (1 - value / top)
  const x = (at: number): number =>
    LEFT +
    ((frame.width - LEFT - 8) * (at - frame.range.fromSeconds)) /
      (frame.range.toSeconds - frame.range.fromSeconds)
  const path = (points: Series['points']): string =>
    points.map(([at, value]) => `${x(at).toFixed(1)},${y(value).toFixed(1)}`).join(' ')
  const shapes = drawn.map(({ series, color, base }) =>
    base
      ? `<polygon points="${path(series.points)} ${path([...base].reverse())}" fill="${color}" fill-opacity="0.45" stroke="${color}"/>`
      : unbroken(series.points)
          .map(
            (points) =>
              `<polyline points="${path(points)}" fill="none" stroke="${color}" stroke-width="1.6" stroke-linecap="round"/>`,
          )
          .join(''),
  )
  const dashed = limits
    .filter(({ value }) => (value ?? 0) <= top)
    .map(
      ({ value, color }) =>
        `<line x1="${LEFT}" x2="${frame.width - 8}" y1="${y(value ?? 0)}" y2="${y(value ?? 0)}" stroke="${colorOf(color)}" stroke-dasharray="5 4"/>`,
    )
  return `<svg width="${frame.width}" height="${plot.height}">${grid({ top, y, x, unit: defaults.unit, frame: plot })}${shapes.join('')}${dashed.join('')}</svg>${legend(lines, defaults)}`
}

type Grid = {
  readonly top: number
  readonly y: (value: number) => number
  readonly x: (at: number) => number
  readonly unit: string | undefined
  readonly frame: Frame
}

function grid({ top, y, x, unit, frame }: Grid): string {
  const rows = [0, 0.5, 1].map((share) => {
    const value = share * top
    return `<line x1="${LEFT}" x2="${frame.width - 8}" y1="${y(value)}" y2="${y(value)}" class="grid"/><text x="${LEFT - 6}" y="${y(value) + 4}" text-anchor="end">${escaped(withUnit(value, unit?.startsWith('suffix:') ? 'none' : unit))}</text>`
  })
  const { fromSeconds, toSeconds } = frame.range
  const columns = [0.1, 0.5, 0.9].map((share) => {
    const at = fromSeconds + share * (toSeconds - fromSeconds)
    return `<text x="${x(at)}" y="${frame.height - 4}" text-anchor="middle">${new Date(at * 1000).toISOString().slice(11, 19)}</text>`
  })
  return rows.join('') + columns.join('')
}

function legend(unsorted: readonly Line[], { unit, decimals }: Pick<Defaults, 'unit' | 'decimals'>): string {
  const shownAs = (value: number): string => escaped(withUnit(value, unit, decimals))
  const highest = ({ series }: Line): number => Math.max(...series.points.map(([, value]) => value))
  const lines = [...unsorted].sort((one, other) => highest(other) - highest(one))
  const shown = lines.slice(0, lines.length > LEGEND_ROWS ? LEGEND_ROWS - 1 : LEGEND_ROWS)
  const rows = shown.map(({ name, series, color }) => {
    const values = series.points.map(([, value]) => value)
    return `<div class="key"><i style="background:${color}"></i><span>${escaped(name)}</span><b>${shownAs(values.at(-1) ?? Number.NaN)}</b><b>max ${shownAs(Math.max(...values))}</b></div>`
  })
  if (shown.length < lines.length) {
    const rest = lines.slice(shown.length)
    const what = rest.every((line) => highest(line) === 0) ? ', all at 0' : ''
    rows.push(`<div class="key"><i></i><span>and ${rest.length} more${what}</span></div>`)
  }
  return rows.join('')
}

/** Each line on top of those before it; where a line has no point it counts as 0. */
function stacked(lines: readonly Line[]): (Line & { readonly base: Series['points'] })[] {
  const times = [...new Set(lines.flatMap(({ series }) => series.points.map(([at]) => at)))].sort(
    (a, b) => a - b,
  )
  let below = times.map((): number => 0)
  return lines.map((line) => {
    const own = new Map(line.series.points)
    const base = times.map((at, index): [number, number] => [at, below[index] ?? 0])
    below = times.map((at, index) => (below[index] ?? 0) + (own.get(at) ?? 0))
    const points = times.map((at, index): [number, number] => [at, below[index] ?? 0])
    return { ...line, series: { ...line.series, points }, base }
  })
}

/** The stretches without a gap: a line across one would show what nobody measured. */
function unbroken(points: Series['points']): Series['points'][] {
  const steps = points.slice(1).map(([at], index) => at - (points[index]?.[0] ?? at))
  const step = Math.min(...steps)
  const stretches: (readonly [number, number])[][] = []
  points.forEach((point, index) => {
    const isNext = index > 0 && (steps[index - 1] ?? 0) < step * 1.5
    if (isNext) stretches.at(-1)?.push(point)
    else stretches.push([point])
  })
  // a lone point is drawn as a line to itself, whose round ends show
  return stretches.map((stretch) => (stretch.length === 1 ? [...stretch, ...stretch] : stretch))
}

/** A round number that is not below `value`. */
function niceTop(value: number): number {
  if (value <= 0) return 1
  const power = 10 ** Math.floor(Math.log10(value))
  return ([1, 2, 2.5, 5, 10].find((step) => step * power >= value) ?? 10) * power
}
