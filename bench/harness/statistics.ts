/** The arithmetic of the tables. */

/** The middle value; the mean of the two middle ones of an even number. NaN for none. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = Math.floor(sorted.length / 2)
  const upper = sorted[middle] ?? Number.NaN
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? Number.NaN) + upper) / 2
}

/** What one process measured, by column. */
export type Sample = Readonly<Record<string, number>>

/** Samples by variant, one for each repeat, in the order of the repeats. */
export type Samples = ReadonlyMap<string, readonly Sample[]>

export type Row = {
  /** `<variant> · <column>`. */
  readonly name: string
  /** Median over the repeats, in `unit`. */
  readonly us: number
  /** Median of the ratios to the floor within each repeat; null where the column has no floor. */
  readonly ratio: number | null
  /** What `us` counts. Default microseconds of CPU. */
  readonly unit: string
  /** Smallest and largest of the repeats, in `unit`. */
  readonly spread: readonly [number, number]
}

export type RowOptions = {
  /** The variant that ratios refer to. */
  readonly floor: string
  /** Units of the columns that are not microseconds of CPU. */
  readonly units?: Readonly<Record<string, string>>
}

/** Medians and ratios, variant by variant. A ratio is taken within a repeat, where both saw the same machine. */
export function samplesToRows(samples: Samples, { floor, units = {} }: RowOptions): readonly Row[] {
  const base = samples.get(floor) ?? []
  return [...samples].flatMap(([variant, own]) => {
    const columns = [...new Set(own.flatMap((sample) => Object.keys(sample)))]
    return columns.map((column): Row => {
      const values = own.map((sample) => sample[column] ?? Number.NaN).filter(Number.isFinite)
      const ratios = own
        .map((sample, repeat) => (sample[column] ?? Number.NaN) / (base[repeat]?.[column] ?? Number.NaN))
        .filter(Number.isFinite)
      return {
        name: rowName(variant, column),
        us: median(values),
        ratio: ratios.length === 0 ? null : median(ratios),
        unit: units[column] ?? 'µs',
        spread: [Math.min(...values), Math.max(...values)],
      }
    })
  })
}

/** How a row is called. */
export function rowName(variant: string, column: string): string {
  return `${variant} · ${column}`
}
