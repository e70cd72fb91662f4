import type { RedisConnection } from '../../../redis/connection.ts'
import type { Telemetry } from '../../../telemetry/telemetry.ts'

/** Whether Redis answers: tells of its loss and of its return once each, and counts the seconds between. */
export type Link = {
  isUp(): boolean
  /** How long Redis has been away; 0 while it answers. */
  awayMs(): number
  /** Runs `work` unless the connection is known to be down; never rejects. */
  attempt(work: () => Promise<void>): Promise<void>
}

export type LinkOptions = {
  readonly redis: RedisConnection
  readonly telemetry: Telemetry
  /** Monotonic milliseconds. */
  readonly now: () => number
}

/** A link that is up until an attempt fails. */
export function createLink({ redis, telemetry, now }: LinkOptions): Link {
  let lostAt: number | undefined
  let countedTo = 0
  const lost = (): void => {
    const at = now()
    if (lostAt === undefined) {
      lostAt = countedTo = at
      telemetry.log.warn({}, 'Redis does not answer: route health stays as it was last seen')
    }
    telemetry.count('redis_unavailable_seconds_total', {}, (at - countedTo) / 1000)
    countedTo = at
  }
  const found = (): void => {
    if (lostAt === undefined) return
    const awayMs = Math.round(now() - lostAt)
    telemetry.log.info({ away_ms: awayMs }, 'Redis answers again: route health is shared')
    lostAt = undefined
  }
  return {
    isUp: () => lostAt === undefined,
    awayMs: () => (lostAt === undefined ? 0 : now() - lostAt),
    async attempt(work) {
      if (redis.status !== 'ready') return lost()
      try {
        await work()
        found()
      } catch {
        lost()
      }
    },
  }
}
