import type { Config } from '../../../config/config.ts'
import type { RedisConnection } from '../../../redis/connection.ts'
import { noTelemetry } from '../../../telemetry/none.ts'
import { createLink } from '../breaker/link.ts'
import { createMirror, type RouteHealth } from '../breaker/mirror.ts'
import { policyFromConfig } from '../breaker/rules.ts'
import type { Transition } from '../breaker/states.ts'
import { createBreakerStore, type SeenCounts } from '../breaker/store.ts'
import { credentialSubject } from '../breaker/subjects.ts'
import type { RouteTable } from '../route-table.ts'

/** The breakers of the fleet at one moment. */
export type FleetView = {
  /** Of a route or a credential; without Redis everything is closed. */
  readonly view: (subject: string) => RouteHealth
  /** In the order of the table's routes; none without Redis. */
  readonly counts: readonly SeenCounts[]
}

/** Reads all breakers once and takes no part in them. */
export async function readFleetView(
  { redis: { prefix }, breakers, providers }: Config,
  { redis, table }: { readonly redis: RedisConnection | undefined; readonly table: RouteTable },
): Promise<FleetView> {
  const routes = table.routes.map(({ name }) => name)
  const credentials = Object.values(providers).flatMap(({ name, credentials }) =>
    credentials.map((one) => credentialSubject(name, one)),
  )
  if (redis === undefined) return { view: () => NEVER_SEEN, counts: [] }
  const now = (): number => performance.now()
  const store = createBreakerStore({ redis, prefix, policy: policyFromConfig(breakers) })
  const link = createLink({ redis, telemetry: noTelemetry, now })
  const mirror = createMirror({
    ...{ store, link, now },
    routes: [...routes, ...credentials],
    telemetry: noTelemetry,
  })
  await mirror.refresh()
  return { view: mirror.view, counts: await store.counts(routes) }
}

/** The latest moves of all breakers, oldest first; none without Redis. */
export async function readHistory(
  { redis: { prefix }, breakers }: Config,
  redis: RedisConnection | undefined,
): Promise<readonly Transition[]> {
  if (redis === undefined) return []
  return createBreakerStore({ redis, prefix, policy: policyFromConfig(breakers) }).history(HISTORY_LENGTH)
}

/** As many as are kept. */
const HISTORY_LENGTH = 1000

const NEVER_SEEN: RouteHealth = {
  state: 'closed',
  generation: 0,
  since: undefined,
  reason: undefined,
  openedAt: undefined,
  nextProbeInMs: undefined,
}
