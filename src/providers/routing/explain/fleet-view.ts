import type { Config } from '../../../config/config.ts'
import type { RedisConnection } from '../../../redis/connection.ts'
import { noTelemetry } from '../../../telemetry/none.ts'
import { createLink } from '../breaker/link.ts'
import { createMirror, type RouteHealth } from '../breaker/mirror.ts'
import { policyFromConfig } from '../breaker/rules.ts'
import type { Transition } from '../breaker/states.ts'
import { createBreakerStore, type SeenCounts } from '../breaker/store.ts'
import { credentialSubject } from '../breaker/subjects.ts'
import { type MitigationRecord, UNTOUCHED } from '../mitigation/machine.ts'
import { createMitigationStore } from '../mitigation/store.ts'
import type { RouteTable } from '../route-table.ts'

/** The breakers and mitigations of the fleet at one moment. */
export type FleetView = {
  /** Of a route or a credential; without Redis everything is closed. */
  readonly view: (subject: string) => RouteHealth
  /** In the order of the table's routes; none without Redis. */
  readonly counts: readonly SeenCounts[]
  /** Of an alias or a segment of it; without Redis nothing has moved. */
  readonly mitigationOf: (subject: string) => MitigationRecord
}

/** Reads all breakers and mitigations once and takes no part in them. */
export async function readFleetView(
  { redis: { prefix }, breakers, providers }: Config,
  { redis, table }: { readonly redis: RedisConnection | undefined; readonly table: RouteTable },
): Promise<FleetView> {
  const routes = table.routes.map(({ name }) => name)
  const credentials = Object.values(providers).flatMap(({ name, credentials }) =>
    credentials.map((one) => credentialSubject(name, one)),
  )
  if (redis === undefined) return { view: () => NEVER_SEEN, counts: [], mitigationOf: () => UNTOUCHED }
  const now = (): number => performance.now()
  const store = createBreakerStore({ redis, prefix, policy: policyFromConfig(breakers) })
  const link = createLink({ redis, telemetry: noTelemetry, now })
  const mirror = createMirror({
    ...{ store, link, now },
    routes: [...routes, ...credentials],
    telemetry: noTelemetry,
  })
  await mirror.refresh()
  const { records } = await createMitigationStore(redis, prefix).read()
  return {
    view: mirror.view,
    counts: await store.counts(routes),
    mitigationOf: (subject) => records.get(subject) ?? UNTOUCHED,
  }
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
