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
  const relayed = (): void => {
    for (const relay of relays) relay.push({ type: 'text.delta', stepId: 's1', delta: 'four' })
  }
  const cpu = async (): Promise<number> => cpuNowUs() + (await redis.figures()).cpuUs
  const costOf = async (tokens: number, makeTokens: () => void): Promise<number> => {
    const before = await cpu()
    await atPace(tokens, makeTokens)
    return ((await cpu()) - before) / (TURNS * tokens)
  }
  await atPace(WARM_UP, relayed)
  // The loop that makes the tokens, and what Redis and this process do anyhow, is nobody's cost.
  const nothing = await costOf(WARM_UP, () => {})
  const all = await costOf(TOKENS, relayed)
  for (const relay of relays) await relay.end()
  await backend.close()
  return { 'a token': all - nothing }
}

/** Calls `makeTokens` so many times, as often as a fast model sends one. */
function atPace(times: number, makeTokens: () => void): Promise<void> {
  return new Promise((resolve) => {
    let made = 0
    const timer = setInterval(() => {
      makeTokens()
      if (++made < times) return
      clearInterval(timer)
      resolve()
    }, EVERY_MS)
  })
}
