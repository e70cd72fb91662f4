/** The five kinds of panel, from plain data: what a panel must have stands in its type. */

import {
  BigValueColorMode,
  BigValueGraphMode,
  type DataSourceRef,
  GraphDrawStyle,
  GraphThresholdsStyleConfigBuilder,
  GraphThresholdsStyleMode,
  LegendDisplayMode,
  LegendPlacement,
  ReduceDataOptionsBuilder,
  SortOrder,
  StackingConfigBuilder,
  StackingMode,
  TooltipDisplayMode,
  VisibilityMode,
  VizLegendOptionsBuilder,
  VizTooltipOptionsBuilder,
} from '@grafana/grafana-foundation-sdk/common'
import {
  type DashboardLinkBuilder,
  type DynamicConfigValue,
  MappingType,
  type ThresholdsConfigBuilder,
  type ValueMapping,
} from '@grafana/grafana-foundation-sdk/dashboard'
import { DataqueryBuilder, PromQueryFormat } from '@grafana/grafana-foundation-sdk/prometheus'
import { PanelBuilder as StatBuilder } from '@grafana/grafana-foundation-sdk/stat'
import { PanelBuilder as StatesBuilder } from '@grafana/grafana-foundation-sdk/statetimeline'
import { PanelBuilder as TableBuilder } from '@grafana/grafana-foundation-sdk/table'
import { PanelBuilder as LinesBuilder } from '@grafana/grafana-foundation-sdk/timeseries'
import type { Colors, State } from './meanings.ts'
import { type Floor, floorToThresholds, type Limit, limitsToThresholds } from './thresholds.ts'

export type Query = {
  readonly expr: string
  /** What a series is called: `{{label}}`, or a word; in a table the title of the value's column. */
  readonly legend: string
  /** Of a table's column, where it differs from the panel's. */
  readonly unit?: string
  /** Words for the values of a table's column. */
  readonly named?: readonly State[]
}

export type PanelSpec = {
  readonly title: string
  /** What the number means and what to think of it, in a sentence or two. */
  readonly description: string
  /** Grafana's name of the unit. */
  readonly unit: string
  readonly queries: readonly [Query, ...Query[]]
  /** Width in twenty-fourths. */
  readonly width: number
  readonly height?: number
  readonly limits?: readonly Limit[] | Floor
  readonly links?: readonly DashboardLinkBuilder[]
  readonly decimals?: number
  readonly min?: number
  readonly max?: number
  /** Of series, by name. */
  readonly colors?: Colors
}

/** The data source that the person has chosen. */
// biome-ignore lint/suspicious/noTemplateCurlyInString: Grafana's variable, not ours
export const PROMETHEUS: DataSourceRef = { type: 'prometheus', uid: '${datasource}' }

/** Lines over time; `stacked` where the parts add up to something. */
export function lines(spec: PanelSpec, { stacked = false } = {}): LinesBuilder {
  const panel = common(new LinesBuilder(), spec)
    .height(spec.height ?? 8)
    .targets(targets(spec.queries))
    .drawStyle(GraphDrawStyle.Line)
    .lineWidth(stacked ? 1 : 2)
    .fillOpacity(stacked ? 40 : 8)
    .showPoints(VisibilityMode.Never)
    .tooltip(new VizTooltipOptionsBuilder().mode(TooltipDisplayMode.Multi).sort(SortOrder.Descending))
    .legend(
      new VizLegendOptionsBuilder()
        .displayMode(LegendDisplayMode.Table)
        .placement(LegendPlacement.Bottom)
        .showLegend(true)
        .calcs(['lastNotNull', 'max'])
        .sortBy('Max')
        .sortDesc(true),
    )
  if (stacked) panel.stacking(new StackingConfigBuilder().mode(StackingMode.Normal).group('A'))
  if (spec.limits) {
    panel.thresholdsStyle(new GraphThresholdsStyleConfigBuilder().mode(GraphThresholdsStyleMode.Dashed))
  }
  return panel
}

/** One number, coloured by its limits, or in words. */
export function number(spec: PanelSpec, named: readonly State[] = []): StatBuilder {
  return common(new StatBuilder(), spec)
    .mappings(named.length === 0 ? [] : [statesToMapping(named)])
    .height(spec.height ?? 4)
    .targets(targets(spec.queries))
    .colorMode(BigValueColorMode.Value)
    .graphMode(BigValueGraphMode.Area)
    .reduceOptions(new ReduceDataOptionsBuilder().calcs(['lastNotNull']))
}

/** What is true now, or was counted over the time on screen, a row a series. */
export function table(spec: PanelSpec): TableBuilder {
  const panel = common(new TableBuilder(), spec)
    .height(spec.height ?? 8)
    .targets(targets(spec.queries, { instant: true }))
    .withTransformation({ id: 'merge', options: {} })
    .withTransformation({
      id: 'organize',
      options: { excludeByName: { Time: true }, renameByName: columnNames(spec.queries) },
    })
  for (const { legend, unit, named } of spec.queries) {
    const properties: DynamicConfigValue[] = [
      ...(unit === undefined ? [] : [{ id: 'unit', value: unit }]),
      ...(named === undefined ? [] : [{ id: 'mappings', value: [statesToMapping(named)] }]),
    ]
    if (properties.length > 0) panel.overrideByName(legend, properties)
  }
  return panel.filterable(true)
}

/** Which of some states each thing was in, over time. */
export function states(spec: PanelSpec, named: readonly State[]): StatesBuilder {
  return common(new StatesBuilder(), spec)
    .height(spec.height ?? 8)
    .targets(targets(spec.queries))
    .mappings([statesToMapping(named)])
    .mergeValues(true)
    .showValue(VisibilityMode.Auto)
    .fillOpacity(80)
    .legend(new VizLegendOptionsBuilder().showLegend(true).placement(LegendPlacement.Bottom))
}

type Common = {
  title(title: string): unknown
  description(description: string): unknown
  unit(unit: string): unknown
  datasource(ref: DataSourceRef): unknown
  span(width: number): unknown
  thresholds(thresholds: ThresholdsConfigBuilder): unknown
  dataLinks(links: DashboardLinkBuilder[]): unknown
  decimals(decimals: number): unknown
  min(min: number): unknown
  max(max: number): unknown
  overrideByName(name: string, properties: DynamicConfigValue[]): unknown
}

function common<P extends Common>(panel: P, spec: PanelSpec): P {
  panel.title(spec.title)
  panel.description(spec.description)
  panel.unit(spec.unit)
  panel.datasource(PROMETHEUS)
  panel.span(spec.width)
  panel.thresholds(
    spec.limits && 'redBelow' in spec.limits
      ? floorToThresholds(spec.limits)
      : limitsToThresholds(spec.limits),
  )
  if (spec.links) panel.dataLinks([...spec.links])
  if (spec.decimals !== undefined) panel.decimals(spec.decimals)
  if (spec.min !== undefined) panel.min(spec.min)
  if (spec.max !== undefined) panel.max(spec.max)
  for (const [name, color] of Object.entries(spec.colors ?? {}))
    panel.overrideByName(name, [{ id: 'color', value: { mode: 'fixed', fixedColor: color } }])
  return panel
}

function targets(queries: readonly Query[], { instant = false } = {}): DataqueryBuilder[] {
  return queries.map(({ expr, legend }, index) => {
    const query = new DataqueryBuilder()
      .refId(letter(index))
      .expr(expr)
      .legendFormat(legend)
      .datasource(PROMETHEUS)
    return instant ? query.instant().format(PromQueryFormat.Table) : query.range()
  })
}

/** Grafana calls the value of one query `Value`, of several `Value #A`, `Value #B`. */
function columnNames(queries: readonly Query[]): Record<string, string> {
  if (queries.length === 1) return { Value: queries[0]?.legend ?? 'Value' }
  return Object.fromEntries(queries.map(({ legend }, index) => [`Value #${letter(index)}`, legend]))
}

function statesToMapping(named: readonly State[]): ValueMapping {
  return {
    type: MappingType.ValueToText,
    options: Object.fromEntries(
      named.map(({ value, text, color }, index) => [String(value), { text, color, index }]),
    ),
  }
}

const letter = (index: number): string => String.fromCharCode('A'.charCodeAt(0) + index)
