/** Deltas of 64 turns at 200 tokens a second each, from the worker's relay through Redis: CPU a token. */

import { loadConfig } from '../../../src/config/load.ts'
import { openBackend } from '../../../src/queue/backend.ts'
import { sessionRef } from '../../../src/redis/keys.ts'
import { createRelay, type Relay } from '../../../src/runtime/turn/relay.ts'
import { cpuNowUs } from '../../harness/cpu.ts'
import type { Measure } from '../../harness/group.ts'
import { startRedis } from '../redis.ts'

const TURNS = 64
const WARM_UP = 400
const TOKENS = 800
const EVERY_MS = 5

export const measure: Measure = async () => {
  await using redis = await startRedis()
  const config = await loadConfig({ redis: { url: redis.url, durability: 'none' } })
  const backend = await openBackend(config)
  const relays: Relay[] = []
  for (let i = 0; i < TURNS; i++) {
    const session = sessionRef(`s${i}`)
    const turn = { session, agent: 'bench', input: 'a question', options: {}, carrier: {} }
    const { turnId } = await backend.journal.accept(turn)
    const claimed = await backend.journal.claim(turnId, {
      ...{ worker: 'bench', wakeup: `w${i}`, leaseMs: 60_000, agents: '*', gone: '' },
    })
    if (claimed.outcome !== 'claimed') throw new Error(`the turn was not claimed: ${claimed.outcome}`)
    relays.push(createRelay(backend.journal, claimed.claim))
  }
  const push = (tokens: number): Promise<void> =>
    new Promise((resolve) => {
      let sent = 0
      const timer = setInterval(() => {
        for (const relay of relays) relay.push({ type: 'text.delta', stepId: 's1', delta: 'four' })
        if (++sent < tokens) return
        clearInterval(timer)
        resolve()
      }, EVERY_MS)
    })
  await push(WARM_UP)
  const before = { own: cpuNowUs(), redis: (await redis.figures()).cpuUs }
  await push(TOKENS)
  for (const relay of relays) await relay.end()
  const after = { own: cpuNowUs(), redis: (await redis.figures()).cpuUs }
  await backend.close()
  return { 'a token': (after.own - before.own + after.redis - before.redis) / (TURNS * TOKENS) }
}
