import type { RedisConnection } from '../redis/connection.ts'
import { globalKeys, sessionKeys, tenantOf } from '../redis/keys.ts'
import { loadScript } from '../redis/scripts.ts'
import { type AcceptReply, acceptCall, type NamedTurn, toAccepted } from './accepting.ts'
import { type Admission, type Backlog, rankArgs } from './backlog.ts'
import type { Taken } from './journal-types.ts'

/** Or what keeps the turn out. */
export type TakenIn =
  | ({ readonly outcome: 'taken' } & Taken)
  | Exclude<Admission, { readonly outcome: 'admitted' }>

export type TakingInOptions = {
  readonly redis: RedisConnection
  readonly prefix: string
  readonly backlog: Backlog
}

/** Admits and accepts a turn in one script (B1, B2, J1). A call that is sent again gives the same again. */
export function createTakingIn({
  redis,
  prefix,
  backlog,
}: TakingInOptions): (turn: NamedTurn) => Promise<TakenIn> {
  const script = loadScript('take-in', import.meta.url)
  const global = globalKeys(prefix)

  return async (turn) => {
    const { keys, args } = acceptCall(sessionKeys(prefix, turn.session), turn)
    const tenant = tenantOf(turn.session)
    const { open, running } = global.tenant(tenant)
    const reply = (await script.run(
      redis,
      [...keys, global.workers, global.agents, global.open, global.ready, open, running],
      [
        backlog.maxQueueAgeMs,
        backlog.limitsOf(tenant).queued,
        turn.agent,
        ...rankArgs(turn.options.priority ?? 0),
        turn.session,
        ...args,
      ],
    )) as AcceptReply & readonly string[]
    const [outcome, first = ''] = reply
    switch (outcome) {
      case 'unserved':
        return { outcome, agent: first }
      case 'late':
        return { outcome, ageMs: Number(first) }
      case 'full':
        return { outcome, tenant, queued: Number(first) }
      default:
        return { outcome: 'taken', accepted: toAccepted(reply), rank: Number(reply[4] ?? 0) }
    }
  }
}
