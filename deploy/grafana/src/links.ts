/** Links from a number to its evidence: traces in Tempo, the route or turns in the console, another dashboard. */

import { DashboardLinkBuilder, DashboardLinkType } from '@grafana/grafana-foundation-sdk/dashboard'

/** Every dashboard has it, and the drop-down of every dashboard lists those that have it. */
export const TAG = 'turnkeeper'

/** As the provisioning names them. */
export const TEMPO_UID = 'tempo'

/** A label of the series that was clicked, made safe for a URL. */
const clicked = (label: string): string => `\${__field.labels.${label}:percentencode}`

/** The spans of the time on screen whose `attribute` is the clicked `label`. */
export function tracesLink(attribute: string, label: string): DashboardLinkBuilder {
  const panes = {
    tk: {
      datasource: TEMPO_UID,
      queries: [
        {
          refId: 'A',
          datasource: { type: 'tempo', uid: TEMPO_UID },
          queryType: 'traceql',
          query: `{ span.${attribute} = "${clicked(label)}" }`,
        },
      ],
      // biome-ignore lint/suspicious/noTemplateCurlyInString: Grafana's variables, not ours
      range: { from: '${__from}', to: '${__to}' },
    },
  }
  return link('Traces', `/explore?schemaVersion=1&orgId=1&panes=${encodeAround(JSON.stringify(panes))}`)
}

/** The route's page of the console, with its last records. */
export function consoleLink(label: string): DashboardLinkBuilder {
  return link('Console', `\${console}/?route=${clicked(label)}`)
}

/** The routes dashboard, for the clicked route. */
export function routeLink(label: string): DashboardLinkBuilder {
  return link('Route', `/d/turnkeeper-routes?var-route=${clicked(label)}&from=\${__from}&to=\${__to}`)
}

/** The drop-down that leads from each dashboard to the others, with time and variables. */
export function siblingsLink(): DashboardLinkBuilder {
  return new DashboardLinkBuilder('Turnkeeper')
    .type(DashboardLinkType.Dashboards)
    .tags([TAG])
    .asDropdown(true)
    .includeVars(true)
    .keepTime(true)
}

function link(title: string, url: string): DashboardLinkBuilder {
  return new DashboardLinkBuilder(title).type(DashboardLinkType.Link).url(url).targetBlank(true)
}

/** Encodes a text for a URL, all but the variables in it, which Grafana must still recognise. */
function encodeAround(text: string): string {
  return text
    .split(/(\$\{[^}]*\})/)
    .map((piece, index) => (index % 2 === 1 ? piece : encodeURIComponent(piece)))
    .join('')
}
