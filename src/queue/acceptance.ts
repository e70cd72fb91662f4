/**
 * Taking turns in: admitted, then accepted, then their sessions woken; three round trips, however many turns. A single
 * turn is admitted and accepted in one, where one server has all keys.
 *
 * A1. A turn is refused before it is accepted or not at all.
 * A2. Turns of a session stand in the order of the calls, also of calls that were not awaited.
 */

import { TurnkeeperError } from '../errors.ts'
import { newTurnId, type SessionRef } from '../redis/keys.ts'
import { watchMemory } from '../redis/memory.ts'
import { createTogether } from '../redis/together.ts'
import type { NamedTurn } from './accepting.ts'
import type { QueueBackend } from './backend.ts'
import type { Admission } from './backlog.ts'
import { createCallOrder } from './client/call-order.ts'
import type { Accepted, NewTurn, Taken } from './journal-types.ts'

/** Accepts turns in their order; the answers come in the same order. */
export type Acceptance = (turns: readonly NewTurn[]) => Promise<readonly Accepted[]>

/** Above this share of Redis's memory nothing is accepted: what was accepted needs the rest. */
const FULL = 0.8
const FULL_RETRY_MS = 10_000
const TENANT_RETRY_MS = 5_000
const LATE_RETRY_MS = { least: 1_000, most: 60_000 } as const

/**
 * The one way in. Its calls reject with `turn/unknown_agent` when workers run and none has the agent, and with
 * `queue/overloaded_queue`, which says when to try again; then none of the turns has been accepted.
 */
export function createAcceptance({ redis, backlog, journal, wakeQueue }: QueueBackend): Acceptance {
  const inOrder = createCallOrder<SessionRef>()
  const memory = watchMemory(redis)
  const together = createTogether(redis)

  /** What a crash has left is no reason to refuse anybody: it is asked again after that is healed. */
  const unlessLate = async <A extends { readonly outcome: string }>(ask: () => Promise<A>): Promise<A> => {
    const answer = await ask()
    if (answer.outcome !== 'late') return answer
    await backlog.heal()
    return ask()
  }

  const takeOne = async (turn: NamedTurn): Promise<readonly Taken[]> => {
    const taken = await unlessLate(() => journal.takeIn(turn))
    if ('accepted' in taken) return [taken]
    throw refusal(taken)
  }

  const takeMany = async (turns: readonly NamedTurn[]): Promise<readonly Taken[]> => {
    const asked = turns.map(({ turnId, agent, options: { priority = 0 } }) => ({ turnId, agent, priority }))
    const admission = await unlessLate(() => backlog.admit(asked))
    if (admission.outcome !== 'admitted') throw refusal(admission)
    const accepted = await journal.acceptAll(turns)
    const taken = accepted.map((one, i) => ({ accepted: one, rank: admission.ranks[i] ?? 0 }))
    // A hint, as the wake-up is, with which it leaves: the journal has the turns.
    const firsts = turns.flatMap(({ session, delayMs = 0 }, i) =>
      isFirst(accepted[i]) ? [{ session, delayMs }] : [],
    )
    backlog.markReady(firsts).catch(() => {})
    return taken
  }

  const take = async (turns: readonly NamedTurn[]): Promise<readonly Accepted[]> => {
    const share = await memory.fullness()
    if (share > FULL) throw fullRedis(share)
    const [first] = turns
    const taken =
      turns.length === 1 && first
        ? await together(
            () => takeOne(first),
            () => takeMany(turns),
          )
        : await takeMany(turns)
    const wakes = taken.flatMap(({ accepted, rank }, i) => {
      // A repeated call wakes too: the first one may have been lost before it could.
      if (accepted.outcome === 'conflict') return []
      return { turnId: accepted.turnId, rank, delayMs: turns[i]?.delayMs ?? 0 }
    })
    // The journal has the turns: if these hints are lost, the reconciler gives them.
    await wakeQueue.wakeAll(wakes).catch(() => {})
    return taken.map(({ accepted }) => accepted)
  }

  return async (turns) => {
    if (turns.length === 0) return []
    const named = turns.map((turn) => ({ ...turn, turnId: newTurnId(turn.session) }))
    return inOrder([...new Set(turns.map(({ session }) => session))], () => take(named)) // A2
  }
}

/** Nothing of its session stands before the turn. */
function isFirst(accepted: Accepted | undefined): boolean {
  return accepted?.outcome === 'accepted' && accepted.position === 0
}

function fullRedis(share: number): TurnkeeperError {
  return new TurnkeeperError(
    'overloaded_queue',
    `Redis has used ${Math.floor(share * 100)} % of its memory; nothing is accepted above ${FULL * 100} %`,
    { retryAfterMs: FULL_RETRY_MS },
  )
}

function refusal(admission: Exclude<Admission, { outcome: 'admitted' }>): TurnkeeperError {
  switch (admission.outcome) {
    case 'unserved':
      return new TurnkeeperError('unknown_agent', `no running worker has an agent named "${admission.agent}"`)
    case 'full':
      return new TurnkeeperError(
        'overloaded_queue',
        `tenant ${admission.tenant} has ${admission.queued} turns waiting, which is its limit (queue.tenants)`,
        { retryAfterMs: TENANT_RETRY_MS },
      )
    case 'late': {
      const { least, most } = LATE_RETRY_MS
      const ageMs = Math.round(admission.ageMs)
      return new TurnkeeperError(
        'overloaded_queue',
        `a turn that could start has waited for ${ageMs} ms, which is over queue.maxQueueAge: workers are too few or gone`,
        { retryAfterMs: Math.min(most, Math.max(least, Math.round(ageMs / 10))) },
      )
    }
  }
}
