import type { Mapping, Panel } from '../panels.ts'
import { escaped, withUnit } from './format.ts'

/** How the values of one series or column are shown. */
export type Field = {
  readonly unit: string | undefined
  readonly decimals: number | undefined
  /** Grafana's name of a colour. */
  readonly color: string | undefined
  readonly words: Mapping['options']
}

/** The panel's defaults with what it overrides for this name. */
export function fieldOf({ fieldConfig }: Panel, name: string): Field {
  const { unit, decimals, mappings } = fieldConfig?.defaults ?? {}
  const own = new Map(
    (fieldConfig?.overrides ?? [])
      .filter(({ matcher }) => matcher.id === 'byName' && matcher.options === name)
      .flatMap(({ properties }) => properties.map(({ id, value }) => [id, value] as const)),
  )
  // the values are of our own dashboards, and Grafana gives each property one type
  const words = (own.get('mappings') as readonly Mapping[] | undefined) ?? mappings
  return {
    unit: (own.get('unit') as string | undefined) ?? unit,
    decimals,
    color: (own.get('color') as { fixedColor: string } | undefined)?.fixedColor,
    words: words?.[0]?.options ?? {},
  }
}

/** A value as HTML: its word where it has one, else the number in its unit. */
export function valueText(value: number, { unit, decimals, words }: Field): string {
  return escaped(words[String(value)]?.text ?? withUnit(value, unit, decimals))
}
