/** Mitigation as the provider runtime holds it: the watch, the ways of calls, the gauge. */

import type { RedisConnection } from '../../../redis/connection.ts'
import type { Telemetry } from '../../../telemetry/telemetry.ts'
import type { RouteTable } from '../route-table.ts'
import type { Router } from '../router.ts'
import { createDetours, type Detours, straightWays } from './detour.ts'
import { showMitigations } from './say.ts'
import type { MitigationMove } from './store.ts'
import type { MitigatedAlias } from './subject.ts'
import { openWatch, type Standing } from './watch.ts'

export type RunningMitigation = Detours & {
  /** Every alias and segment that is not as usual, as this process sees it now. */
  standings(): readonly Standing[]
  /** The latest moves of the whole fleet, oldest first. */
  history(): Promise<readonly MitigationMove[]>
  close(): Promise<void>
}

export type OpenMitigationOptions = {
  readonly redis: { readonly command: RedisConnection; readonly subscriber: RedisConnection }
  readonly prefix: string
  readonly table: RouteTable
  readonly router: Router
  readonly telemetry: Telemetry
  readonly tickMs?: number | undefined
}

/** Opens the mitigation of all aliases that have a fallback; without any there is nothing to watch. */
export async function openMitigation(options: OpenMitigationOptions): Promise<RunningMitigation> {
  const { redis, prefix, table, router, telemetry, tickMs } = options
  const aliases = table.aliases.filter((alias): alias is MitigatedAlias => alias.mitigation !== undefined)
  if (aliases.length === 0) return idle(router)
  const watch = await openWatch({
    redis: redis.command,
    subscriber: redis.subscriber,
    canServe(alias) {
      const choice = router.choose(alias)
      return choice.kind === 'routes' && !choice.isLastResort
    },
    ...{ prefix, aliases, telemetry, tickMs },
  })
  const hide = showMitigations(telemetry, aliases, {
    statesOf: (alias) =>
      watch
        .standings()
        .filter((one) => one.alias === alias)
        .map(({ state }) => state),
    routeOf: (alias) => table.find(alias)?.routes[0]?.name ?? '',
  })
  return {
    ...createDetours({ watch, table, router }),
    standings: watch.standings,
    history: watch.history,
    async close() {
      hide()
      await watch.close()
    },
  }
}

function idle(router: Router): RunningMitigation {
  return {
    ...straightWays(router),
    standings: () => [],
    history: async () => [],
    close: async () => {},
  }
}
