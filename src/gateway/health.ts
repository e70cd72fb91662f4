import { setTimeout as sleep } from 'node:timers/promises'
import type { RedisConnection } from '../redis/connection.ts'

/** Whether Redis answers, and how fast. */
export type RedisHealth =
  | { readonly ok: true; readonly latencyMs: number }
  | { readonly ok: false; readonly problem: string }

const PATIENCE_MS = 1_000

/** Asks Redis for a sign of life; never rejects, and takes a second at most. */
export async function readRedisHealth(redis: RedisConnection): Promise<RedisHealth> {
  const started = performance.now()
  const giveUp = new AbortController()
  const answer = redis.ping().then(
    () => 'answered' as const,
    () => 'refused' as const,
  )
  const silence = sleep(PATIENCE_MS, 'silent' as const, { signal: giveUp.signal }).catch(
    () => 'silent' as const,
  )
  const outcome = await Promise.race([answer, silence])
  giveUp.abort()
  if (outcome === 'answered') return { ok: true, latencyMs: Math.round(performance.now() - started) }
  const problem = outcome === 'silent' ? `no answer within ${PATIENCE_MS} ms` : 'the connection is down'
  return { ok: false, problem }
}
