/** What a key may do in a minute and spend in a day, counted in Redis for all gateways of the fleet together. */

import type { ApiKeyConfig } from '../config/config.ts'
import { TurnkeeperError } from '../errors.ts'
import type { QueueBackend } from '../queue/backend.ts'
import { answering } from '../redis/answering.ts'
import { globalKeys } from '../redis/keys.ts'

export type Limits = {
  /** @throws TurnkeeperError `rate_limit/rate_limited` beyond the requests of this minute. */
  takeRequest(key: ApiKeyConfig | undefined): Promise<void>
  /** @throws TurnkeeperError `rate_limit/quota_exhausted` when the turns that ended today have cost the budget. */
  requireBudget(key: ApiKeyConfig | undefined): Promise<void>
}

const MINUTE_MS = 60_000
const DAY_MS = 24 * 60 * MINUTE_MS

export function createLimits({
  redis,
  prefix,
  spend,
}: Pick<QueueBackend, 'redis' | 'prefix' | 'spend'>): Limits {
  const { requests } = globalKeys(prefix)
  return {
    async takeRequest(key) {
      if (key?.requestsPerMinute === undefined) return
      const { id, requestsPerMinute } = key
      const counter = `${requests}:${id}:${Math.floor(Date.now() / MINUTE_MS)}`
      const [counted] = (await answering(redis.multi().incr(counter).expire(counter, 120).exec())) ?? []
      if (Number(counted?.[1]) <= requestsPerMinute) return
      throw new TurnkeeperError(
        'rate_limited',
        `the key ${id} has made its ${requestsPerMinute} requests of this minute`,
        { retryAfterMs: leftOf(MINUTE_MS) },
      )
    },
    async requireBudget(key) {
      if (key?.budgetUsdPerDay === undefined) return
      const { id, budgetUsdPerDay } = key
      if ((await answering(spend.today(id))) < budgetUsdPerDay) return
      throw new TurnkeeperError(
        'quota_exhausted',
        `the turns of the key ${id} have cost its ${budgetUsdPerDay} US dollars of this day (UTC)`,
        { retryAfterMs: leftOf(DAY_MS) },
      )
    },
  }
}

/** Until the next whole period of the clock. */
function leftOf(periodMs: number): number {
  return periodMs - (Date.now() % periodMs)
}
