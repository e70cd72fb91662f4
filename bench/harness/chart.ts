/** A group as one SVG: bars of the ratios to the floor, from zero, on one linear scale. */

import type { Group } from './group.ts'
import { type Row, rowName } from './statistics.ts'
import { digits } from './table.ts'

const WIDTH = 760
const LABEL = 240
const BAR = 16
const GAP = 6
const PALETTE = { floor: '#8b949e', own: '#1f6feb', peer: '#d0a15a', ink: '#57606a' } as const

type Bar = { readonly label: string; readonly value: number; readonly text: string; readonly color: string }

/** The chart of the column that a group's first goal is about, or of its first column. */
export function chartOf(group: Group, rows: readonly Row[]): string {
  const column = group.goals[0]?.column ?? rows[0]?.name.split(' · ')[1] ?? ''
  const bars = group.variants.flatMap(({ name }): readonly Bar[] => {
    const row = rows.find((one) => one.name === rowName(name, column))
    if (row === undefined) return []
    const color = name === group.floor ? PALETTE.floor : /turnkeeper/.test(name) ? PALETTE.own : PALETTE.peer
    const ratio = row.ratio === null ? '' : ` (${digits(row.ratio)}×)`
    return [{ label: name, value: row.us, text: `${digits(row.us)} ${row.unit}${ratio}`, color }]
  })
  const height = bars.length * (BAR + GAP) + 44
  const most = Math.max(...bars.map(({ value }) => value), Number.MIN_VALUE)
  const scale = (WIDTH - LABEL - 130) / most
  const body = bars.map(({ label, value, text, color }, i) => {
    const y = 36 + i * (BAR + GAP)
    const width = Math.max(1, value * scale)
    return [
      `<text x="${LABEL - 8}" y="${y + 12}" text-anchor="end">${escaped(label)}</text>`,
      `<rect x="${LABEL}" y="${y}" width="${width.toFixed(1)}" height="${BAR}" fill="${color}"/>`,
      `<text x="${(LABEL + width + 6).toFixed(1)}" y="${y + 12}">${escaped(text)}</text>`,
    ].join('\n')
  })
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${height}" viewBox="0 0 ${WIDTH} ${height}" font-family="sans-serif" font-size="12" fill="${PALETTE.ink}">`,
    `<text x="8" y="20" font-size="14" font-weight="bold">${escaped(`${group.title}, ${column} (shorter is better)`)}</text>`,
    ...body,
    '</svg>',
    '',
  ].join('\n')
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')
}
