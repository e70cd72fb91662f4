/** What all dashboards have in common: a fixed uid, the tag, the links to each other, variables and annotations. */

import {
  AnnotationQueryBuilder,
  type Dashboard,
  DashboardBuilder,
  DashboardCursorSync,
  DatasourceVariableBuilder,
  type Panel,
  QueryVariableBuilder,
  RowBuilder,
  TextBoxVariableBuilder,
  VariableRefresh,
  VariableSort,
} from '@grafana/grafana-foundation-sdk/dashboard'
import { siblingsLink, TAG } from './links.ts'
import { PROMETHEUS } from './panels.ts'
import type { Narrowing } from './promql.ts'

type PanelBuilder = { build(): Panel }

export type Section = { readonly title: string; readonly panels: readonly PanelBuilder[] }

export type DashboardSpec = {
  /** Of the form `turnkeeper-…`; links and the alerts' `dashboard_url` lead there, so it never changes. */
  readonly uid: string
  readonly title: string
  readonly description: string
  /** Beside `$datasource`. */
  readonly variables: readonly (Narrowing | 'console')[]
  readonly sections: readonly Section[]
}

/** Where the values of a variable come from. */
const VALUES: Readonly<Record<Narrowing, string>> = {
  job: 'label_values(runtime_build_info, job)',
  alias: 'label_values(route_info, alias)',
  route: 'label_values(route_info{alias=~"$alias"}, route)',
  model: 'label_values(route_info, model)',
}
const WITHOUT_ALIAS = 'label_values(route_info, route)'
const CONSOLE = 'http://localhost:8317'

export function dashboard({ uid, title, description, variables, sections }: DashboardSpec): Dashboard {
  const builder = new DashboardBuilder(`Turnkeeper: ${title}`)
    .uid(uid)
    .description(description)
    .tags([TAG])
    .readonly()
    .refresh('30s')
    .time({ from: 'now-3h', to: 'now' })
    .timezone('browser')
    .tooltip(DashboardCursorSync.Crosshair)
    .link(siblingsLink())
    .withVariable(new DatasourceVariableBuilder('datasource').label('Data source').type('prometheus'))
    .annotation(transitions(variables.includes('route')))
    .annotation(mitigations())
  for (const variable of variables) {
    if (variable === 'console') {
      builder.withVariable(new TextBoxVariableBuilder('console').label('Console').defaultValue(CONSOLE))
    } else builder.withVariable(queryVariable(variable, variables))
  }
  for (const section of sections) {
    builder.withRow(new RowBuilder(section.title))
    for (const panel of section.panels) builder.withPanel(panel)
  }
  return builder.build()
}

function queryVariable(name: Narrowing, all: readonly string[]): QueryVariableBuilder {
  const query = name === 'route' && !all.includes('alias') ? WITHOUT_ALIAS : VALUES[name]
  return new QueryVariableBuilder(name)
    .label(name[0]?.toUpperCase() + name.slice(1))
    .datasource(PROMETHEUS)
    .query({ query, refId: name })
    .refresh(VariableRefresh.OnTimeRangeChanged)
    .sort(VariableSort.AlphabeticalAsc)
    .multi(true)
    .includeAll(true)
    .allValue('.*')
    .current({ selected: true, text: ['All'], value: ['$__all'] })
}

/** A mark wherever a breaker changed its state. */
function transitions(hasRoute: boolean): AnnotationQueryBuilder {
  const select = hasRoute ? '{route=~"$route"}' : ''
  return new AnnotationQueryBuilder()
    .name('Breaker transitions')
    .datasource(PROMETHEUS)
    .enable(true)
    .iconColor('orange')
    .expr(`changes(route:route_health_state:code${select}[1m]) > 0`)
    .step('60s')
    .titleFormat('{{route}}')
    .textFormat('The breaker of this route changed its state.')
    .tagKeys('route')
}

/** A band while an alias is held on a fallback. */
function mitigations(): AnnotationQueryBuilder {
  return new AnnotationQueryBuilder()
    .name('Mitigations')
    .datasource(PROMETHEUS)
    .enable(true)
    .iconColor('purple')
    .expr('max by (alias, from_route, to_route) (route_mitigation_active) == 1')
    .step('60s')
    .titleFormat('{{alias}} is held on {{to_route}}')
    .textFormat('Instead of {{from_route}}.')
    .tagKeys('alias')
}
