/** Calls that the wire format of a route cannot say: refused before anything is sent, counted once a call and route. */

import type { RouteConfig } from '../../config/config.ts'
import type { Telemetry } from '../../telemetry/telemetry.ts'
import type { Untranslatable } from '../upstream.ts'
import type { RouteTable } from './route-table.ts'

/** What requests are translated from: our own form, in which every call comes. */
const FROM = 'turnkeeper'

/** Puts the counter of each protocol that a route uses at 0. */
export function zeroTranslationErrors(telemetry: Telemetry, table: RouteTable): void {
  for (const route of table.routes)
    telemetry.count('translation_errors_total', { from: FROM, to: table.protocolOf(route) }, 0)
}

type World = { readonly table: RouteTable; readonly telemetry: Telemetry }

type Untranslated = {
  readonly route: RouteConfig
  readonly alias: string
  readonly what: Untranslatable
}

/** Counts a refused call and logs what of it could not be said: names and kinds, no values. */
export function tellUntranslatable({ table, telemetry }: World, { route, alias, what }: Untranslated): void {
  const to = table.protocolOf(route)
  telemetry.count('translation_errors_total', { from: FROM, to })
  telemetry.log.warn(
    { route: route.name, alias, to, what },
    'request cannot be said in the protocol of its route',
  )
}
