import type { RedisConnection } from '../redis/connection.ts'
import { globalKeys, sessionKeys, sessionOfTurn, tenantOf } from '../redis/keys.ts'
import { loadScript } from '../redis/scripts.ts'
import type { Together } from '../redis/together.ts'
import type { Backlog } from './backlog.ts'
import type { Claimant, ClaimOutcome, Following } from './journal-types.ts'
import { fieldsToTurn, hashToLostRun, stepsOfClaim } from './records.ts'
import type { Json, TurnState } from './types.ts'

export type ClaimingOptions = {
  readonly redis: RedisConnection
  readonly prefix: string
  readonly backlog: Backlog
  readonly together: Together
}

/** Claims the head of a session, with a place among the running turns of its tenant (J2, B3). */
export type ClaimTurn = (turnId: string, who: Claimant) => Promise<ClaimOutcome>

export function createClaiming({ redis, prefix, backlog, together }: ClaimingOptions): ClaimTurn {
  const takeUp = loadScript('take-up', import.meta.url)
  const claim = loadScript('claim', import.meta.url)
  const global = globalKeys(prefix)

  return async (turnId, { worker, wakeup, leaseMs, agents, gone = '' }) => {
    const ref = sessionOfTurn(turnId)
    const session = sessionKeys(prefix, ref)
    const turn = session.turn(turnId)
    const keys = [turn.turn, turn.steps, turn.events, session.inbox, session.delayed, session.history]
    const names = agents === '*' ? '*' : `,${agents.join(',')},`
    const args = [turnId, worker, wakeup, leaseMs, turn.channel, names, gone]

    const whole = async (): Promise<ClaimOutcome> => {
      const tenant = tenantOf(ref)
      const { open, running, limited } = global.tenant(tenant)
      const [reply, roused] = (await takeUp.run(
        redis,
        [...keys, global.ready, global.limited, open, running, limited],
        [...args, ref, tenant, backlog.limitsOf(tenant).running],
      )) as [Reply, string[]]
      return withRoused(toOutcome(reply, { turnId, worker }), roused)
    }
    const parts = async (): Promise<ClaimOutcome> => {
      if ((await backlog.start(turnId, leaseMs)) === 'limited') return { outcome: 'limited' }
      const outcome = toOutcome((await claim.run(redis, keys, args)) as Reply, { turnId, worker })
      if (outcome.outcome === 'claimed' || outcome.outcome === 'busy') return outcome
      return withRoused(outcome, await backlog.stop(turnId))
    }
    return together(whole, parts)
  }
}

function withRoused(outcome: ClaimOutcome, roused: readonly string[]): ClaimOutcome {
  return roused.length > 0 ? { ...outcome, roused } : outcome
}

type Reply = readonly [outcome: string, ...unknown[]]

type ClaimedReply = readonly [
  outcome: string,
  epoch: string,
  fields: (string | null)[],
  steps: string[],
  history: string[],
  now: string,
  lost: string,
  lostAt: string,
  idleClaims: string,
]

function toOutcome(
  reply: Reply,
  { turnId, worker }: { readonly turnId: string; readonly worker: string },
): ClaimOutcome {
  switch (reply[0]) {
    case 'limited':
      return { outcome: 'limited' }
    case 'next':
      return { outcome: 'next', following: toFollowing(reply[1], reply[2]) }
    case 'busy':
      return { outcome: 'busy', forMs: Number(reply[1]), worker: String(reply[2]) }
    case 'parked':
      return {
        outcome: 'parked',
        state: reply[1] as TurnState,
        ...(reply[2] !== '' && { forMs: Number(reply[2]) }),
      }
    case 'unserved':
      return { outcome: 'unserved', agent: String(reply[1]), sinceMs: Number(reply[2]) }
    default: {
      const [, epoch, fields, steps, history, now, lost, lostAt, idleClaims] = reply as ClaimedReply
      const known = {
        ...stepsOfClaim(steps),
        ...fieldsToTurn(fields, { id: turnId, epoch, worker, now }),
        history: history.map((entry) => JSON.parse(entry) as Json),
      }
      const claim = {
        ...known,
        ...(lost && lostAt && { lost: hashToLostRun(known, steps, { lost, lostAt, epoch }) }),
        idleClaims: Number(idleClaims),
        session: sessionOfTurn(turnId),
        epoch: Number(epoch),
        now: Number(now),
        claimedAt: performance.now(),
      }
      return { outcome: 'claimed', claim }
    }
  }
}

/** What a script has said of a session's next wish. */
export function toFollowing(kind: unknown, value: unknown): Following {
  if (kind === 'turn') return { kind, turnId: String(value) }
  if (kind === 'due') return { kind, inMs: Number(value) }
  return { kind: 'nothing' }
}
