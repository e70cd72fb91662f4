/**
 * Taking turns in: admitted, then accepted, then their sessions woken; three round trips, however many turns.
 *
 * A1. A turn is refused before it is accepted or not at all.
 * A2. Turns of a session stand in the order of the calls, also of calls that were not awaited.
 */

import { TurnkeeperError } from '../errors.ts'
import { newTurnId, type SessionRef } from '../redis/keys.ts'
import { watchMemory } from '../redis/memory.ts'
import type { QueueBackend } from './backend.ts'
import type { Admission } from './backlog.ts'
import type { RankedWake } from './bullmq.ts'
import { createCallOrder } from './client/call-order.ts'
import type { Accepted, NewTurn } from './journal-types.ts'

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

  const admit = async (turns: readonly Named[]): Promise<readonly number[]> => {
    const share = await memory.fullness()
    if (share > FULL) throw fullRedis(share)
    const asked = turns.map(({ turnId, agent, options }) => ({
      turnId,
      agent,
      priority: options.priority ?? 0,
    }))
    let admission = await backlog.admit(asked)
    if (admission.outcome === 'late') {
      // What a crash has left is no reason to refuse anybody.
      await backlog.heal()
      admission = await backlog.admit(asked)
    }
    if (admission.outcome === 'admitted') return admission.ranks
    throw refusal(admission)
  }

  const take = async (turns: readonly Named[]): Promise<readonly Accepted[]> => {
    const ranks = await admit(turns)
    const accepted = await journal.acceptAll(turns)
    const wakes = turns.map((turn, i) => ({ ...wakeOf(turn, accepted[i]), rank: ranks[i] ?? 0 }))
    // The journal has the turns: if these hints are lost, the reconciler gives them.
    await Promise.allSettled([
      backlog.markReady(wakes.filter(({ isFirst }) => isFirst)),
      wakeQueue.wakeAll(wakes.filter(({ isAccepted }) => isAccepted)),
    ])
    return accepted
  }

  return async (turns) => {
    if (turns.length === 0) return []
    const named = turns.map((turn) => ({ ...turn, turnId: newTurnId(turn.session) }))
    return inOrder([...new Set(turns.map(({ session }) => session))], () => take(named)) // A2
  }
}

type Named = NewTurn & { readonly turnId: string }

type Wake = Omit<RankedWake, 'rank'> & {
  readonly session: SessionRef
  readonly delayMs: number
  readonly isAccepted: boolean
  /** Nothing of its session stands before it. */
  readonly isFirst: boolean
}

/** A repeated call wakes too: the first one may have been lost before it could. */
function wakeOf({ turnId, session, delayMs = 0 }: Named, accepted: Accepted | undefined): Wake {
  const isAccepted = accepted !== undefined && accepted.outcome !== 'conflict'
  return {
    turnId: accepted?.turnId ?? turnId,
    session,
    delayMs,
    isAccepted,
    isFirst: accepted?.outcome === 'accepted' && accepted.position === 0,
  }
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
