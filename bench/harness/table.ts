import type { Goal, Group } from './group.ts'
import { type Row, rowName } from './statistics.ts'

/** What a table needs to know of its group. */
export type TableGroup = Pick<Group, 'name' | 'title' | 'floor' | 'goals'>

/** A group as a Markdown table: a line a variant, a column a measurement, then what was promised. */
export function rowsToTable(group: TableGroup, rows: readonly Row[]): string {
  const columns = unique(rows.map(({ name }) => name.split(' · ')[1] ?? ''))
  const variants = unique(rows.map(({ name }) => name.split(' · ')[0] ?? ''))
  const byName = new Map(rows.map((row) => [row.name, row]))
  const cells = variants.map((variant) => [
    variant === group.floor ? `**${variant}** (floor)` : variant,
    ...columns.map((column) => cellOf(byName.get(rowName(variant, column)))),
  ])
  const lines = [['', ...columns], columns.map(() => '---:').toSpliced(0, 0, '---'), ...cells]
  return [
    `## ${group.name}: ${group.title}`,
    '',
    ...lines.map((line) => `| ${line.join(' | ')} |`),
    '',
    ...group.goals.map((goal) => goalText(goal, byName.get(rowName(goal.variant, goal.column)))),
    '',
  ].join('\n')
}

/** Whether a promise is kept, in words. */
export function goalText({ variant, column, of, atMost, why }: Goal, row: Row | undefined): string {
  const unit = of === 'ratio' ? '×' : ` ${row?.unit ?? 'µs'}`
  const value = (of === 'ratio' ? row?.ratio : row?.us) ?? Number.NaN
  const verdict = value <= atMost ? 'kept' : why === undefined ? '**missed**' : `**missed**: ${why}`
  return `- ${variant} · ${column}: ${digits(value)}${unit}, at most ${atMost}${unit}: ${verdict}`
}

function cellOf(row: Row | undefined): string {
  if (row === undefined) return '–'
  const unit = row.unit === 'µs' ? '' : ` ${row.unit}`
  return `${digits(row.us)}${unit}${row.ratio === null ? '' : ` (${digits(row.ratio)}×)`}`
}

/** Three digits that count. */
export function digits(value: number): string {
  if (!Number.isFinite(value)) return '–'
  return value >= 100 ? value.toFixed(0) : String(Number(value.toPrecision(3)))
}

function unique(values: readonly string[]): readonly string[] {
  return [...new Set(values)]
}
