/**
 * Counts the turns of the queue, for the gauges of whoever counts: a scrape reads the last count and waits for nothing.
 *
 * N1. One process of the fleet counts at a time, and keeps doing so while it lives; the others know no figures.
 * N2. A turn that has been given up and retried since is no dead letter any more.
 */

import { setTimeout as sleep } from 'node:timers/promises'
import { globalKeys, sessionKeys, sessionOfTurn } from '../redis/keys.ts'
import { createLeases } from '../redis/lease.ts'
import type { QueueBackend } from './backend.ts'
import type { TurnState } from './types.ts'

export type OpenState = Extract<TurnState, 'queued' | 'running' | 'waiting_approval' | 'needs_review'>

export type TurnCounts = {
  readonly open: Readonly<Record<OpenState, number>>
  readonly deadLetters: number
}

export type Census = {
  /** The last count, if this process is the one that counts. */
  counts(): TurnCounts | undefined
  close(): Promise<void>
}

export type CensusOptions = {
  readonly backend: Pick<QueueBackend, 'redis' | 'prefix'>
  /** Name of this process. */
  readonly id: string
  /** Default 10,000. */
  readonly everyMs?: number
}

const CHUNK = 500
/** The index is by age: turns beyond this many are taken for queued without a look. */
const LOOKED_AT = 20_000

export function startCensus(options: CensusOptions): Census {
  const { backend, id, everyMs = 10_000 } = options
  const { redis, prefix } = backend
  const { census: lease } = globalKeys(prefix)
  const stop = new AbortController()
  let last: TurnCounts | undefined

  const hold = createLeases(redis)
  const holdsLease = (): Promise<boolean> => hold({ key: lease, id, ttlMs: everyMs * 2.5 })
  const loop = (async () => {
    while (!stop.signal.aborted) {
      try {
        last = (await holdsLease()) ? await countTurns(backend) : undefined
      } catch {
        last = undefined // Redis is away: no figure is better than an old one
      }
      await sleep(everyMs * (0.9 + 0.2 * Math.random()), undefined, { signal: stop.signal }).catch(() => {})
    }
  })()
  return {
    counts: () => last,
    async close() {
      stop.abort()
      await loop
      if (last !== undefined) await redis.del(lease).catch(() => {})
    },
  }
}

/** Counts now. */
export async function countTurns({ redis, prefix }: CensusOptions['backend']): Promise<TurnCounts> {
  const keys = globalKeys(prefix)
  const [ids, openTotal, deadLetters] = await Promise.all([
    redis.zrange(keys.open, '0', String(LOOKED_AT - 1)),
    redis.zcard(keys.open),
    redis.zcard(keys.dead),
  ])
  const open = { queued: openTotal - ids.length, running: 0, waiting_approval: 0, needs_review: 0 }
  for (let i = 0; i < ids.length; i += CHUNK) {
    const states = await Promise.all(
      ids
        .slice(i, i + CHUNK)
        .map((id) => redis.hget(sessionKeys(prefix, sessionOfTurn(id)).turn(id).turn, 'state')),
    )
    for (const state of states) if (state !== null && state in open) open[state as OpenState]++ // looked up just now
  }
  return { open, deadLetters }
}
