import type { Config } from '../../../config/config.ts'
import { TurnkeeperError } from '../../../errors.ts'
import type { RedisConnection } from '../../../redis/connection.ts'
import { createRouteTable } from '../route-table.ts'
import { policyFromConfig } from './rules.ts'
import type { HealthState } from './states.ts'
import { createBreakerStore, type Force } from './store.ts'

/**
 * Forces the breaker of a configured route from outside of any worker; workers see it within a second.
 * Throws `config/invalid_config` for a route that stands in no alias.
 */
export async function forceBreaker(
  config: Config,
  { redis, route, force }: { redis: RedisConnection; route: string; force: Force },
): Promise<HealthState> {
  const { routes } = createRouteTable(config)
  if (!routes.some(({ name }) => name === route)) {
    const known = routes.map(({ name }) => name).join(', ') || 'none'
    const problem = `${JSON.stringify(route)} is no route of an alias`
    throw new TurnkeeperError('invalid_config', `${problem}: expected one of ${known}`)
  }
  const policy = policyFromConfig(config.breakers)
  return createBreakerStore({ redis, prefix: config.redis.prefix, policy }).force(route, force)
}
