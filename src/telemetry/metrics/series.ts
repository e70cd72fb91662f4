/** The series of one metric: a cell for each combination of label values. */

import type { Labels } from '../telemetry.ts'

/**
 * Series of one metric that a process keeps; what comes beyond is folded into one and alerted on. Above the 2,000 of the
 * OpenTelemetry SDK, since a move between routes has a series for each pair and reason: 9 × n(n − 1) an alias.
 */
const MAX_SERIES = 10_000

/** The series of what is beyond the limit, as OpenTelemetry's specification names it. */
const OVERFLOW: Labels = { otel_metric_overflow: 'true' }

export type Series<Cell> = {
  /** The same object as long as the process lives. */
  readonly labels: Labels
  readonly cell: Cell
}

export type SeriesTable<Cell> = {
  /** The cell of these label values, made when they come for the first time. */
  at(labels: Labels): Cell
  /** In the order in which they came. */
  all(): readonly Series<Cell>[]
}

/** A branch for each value of a label, a level for each label; the cell is where the last one leads. */
type Branch<Cell> = { readonly below: Map<string, Branch<Cell>>; cell?: Cell }

/**
 * An empty table of the labels `names`. A cell is found along its labels' values one by one: no key is put together, so
 * that counting leaves no garbage behind.
 */
export function createSeriesTable<Cell>(names: readonly string[], createCell: () => Cell): SeriesTable<Cell> {
  const root: Branch<Cell> = { below: new Map() }
  const all: Series<Cell>[] = []
  let overflow: Cell | undefined

  const keep = (labels: Labels): Cell => {
    const cell = createCell()
    all.push({ labels, cell })
    return cell
  }
  const add = (labels: Labels): Cell => {
    // one place is kept for the overflow itself
    if (all.length >= MAX_SERIES - 1) {
      overflow ??= keep(OVERFLOW)
      return overflow
    }
    let branch = root
    for (const name of names) {
      const value = labels[name] ?? ''
      const next = branch.below.get(value) ?? { below: new Map() }
      branch.below.set(value, next)
      branch = next
    }
    branch.cell = keep(Object.fromEntries(names.map((name) => [name, labels[name] ?? ''])))
    return branch.cell
  }
  return {
    at(labels) {
      let branch = root
      for (const name of names) {
        const next = branch.below.get(labels[name] ?? '')
        if (next === undefined) return add(labels)
        branch = next
      }
      return branch.cell ?? add(labels)
    },
    all: () => all,
  }
}
