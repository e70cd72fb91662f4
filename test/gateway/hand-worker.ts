import { createJournal, type Journal } from '../../src/queue/journal.ts'
import type { Claim } from '../../src/queue/journal-types.ts'
import type { TurnEventBody, TurnResult } from '../../src/queue/types.ts'
import { closeRedis, connectRedis, type RedisConnection } from '../../src/redis/connection.ts'

/** A worker moved by hand: each test decides what a turn does, and when. */
export type HandWorker = {
  readonly journal: Journal
  readonly redis: RedisConnection
  /** Claims the turn. */
  take(turnId: string): Promise<HeldTurn>
  close(): Promise<void>
}

export type HeldTurn = {
  emit(...events: readonly TurnEventBody[]): Promise<void>
  say(...deltas: readonly string[]): Promise<void>
  complete(text: string, more?: Partial<TurnResult>): Promise<void>
  fail(error: NonNullable<TurnResult['error']>): Promise<void>
}

/** Opens the journal below `prefix`. */
export async function openHandWorker(redisUrl: string, prefix: string): Promise<HandWorker> {
  const redis = await connectRedis(redisUrl)
  const journal = createJournal({ redis, prefix, resultTtlMs: 60_000, eventTtlMs: 60_000 })
  return {
    journal,
    redis,
    async take(turnId) {
      const outcome = await journal.claim(turnId, {
        worker: 'hand',
        wakeup: 'by-hand',
        leaseMs: 60_000,
        agents: '*',
      })
      if (outcome.outcome !== 'claimed') throw new Error(`expected a claim, got ${JSON.stringify(outcome)}`)
      return heldTurn(journal, outcome.claim)
    },
    close: () => closeRedis(redis),
  }
}

function heldTurn(journal: Journal, claim: Claim): HeldTurn {
  const { id, sessionId } = claim.turn
  const emit = async (...events: readonly TurnEventBody[]): Promise<void> => {
    await journal.relay(claim)(events)
  }
  const result = (more: Partial<TurnResult>): TurnResult => ({
    id,
    sessionId,
    status: 'completed',
    text: '',
    steps: [],
    usage: {
      inputTokens: 10,
      outputTokens: 5,
      totalTokens: 15,
      cachedInputTokens: null,
      reasoningTokens: null,
    },
    costUsd: null,
    finishReason: 'stop',
    routes: [],
    ...more,
  })
  return {
    emit,
    say: (...deltas) =>
      emit(...deltas.map((delta) => ({ type: 'text.delta' as const, stepId: 'm1', delta }))),
    async complete(text, more = {}) {
      const events = [{ type: 'turn.completed' as const, text }]
      await journal.finish(claim, { state: 'completed', result: result({ text, ...more }), events })
    },
    async fail(error) {
      const events = [{ type: 'turn.failed' as const, error }]
      await journal.finish(claim, { state: 'failed', result: result({ status: 'failed', error }), events })
    },
  }
}
