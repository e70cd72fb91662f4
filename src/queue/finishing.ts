import type { RedisConnection } from '../redis/connection.ts'
import { globalKeys, sessionKeys, tenantOf } from '../redis/keys.ts'
import { loadScript, type ScriptArgument } from '../redis/scripts.ts'
import type { Together } from '../redis/together.ts'
import type { Backlog } from './backlog.ts'
import { toFollowing } from './claiming.ts'
import { type Bury, isDeadLetter } from './dead-letters.ts'
import type { Claim, FinishOutcome, TurnEnding } from './journal-types.ts'
import { persist } from './persist.ts'
import { holdToText } from './records.ts'
import { isTerminal } from './types.ts'

export type FinishingOptions = {
  readonly redis: RedisConnection
  readonly prefix: string
  readonly resultTtlMs: number
  readonly eventTtlMs: number
  readonly backlog: Backlog
  readonly bury: Bury
  readonly together: Together
}

/** Ends, parks or hands back a claimed turn, which gives its place back (J7, B3). */
export type FinishTurn = (claim: Claim, ending: TurnEnding) => Promise<FinishOutcome>

/** How long a session is remembered after its last turn. */
const SESSION_TTL_MS = 30 * 24 * 3_600_000

type Reply = readonly [outcome: 'ok' | 'fenced', kind?: string, value?: string]

export function createFinishing(options: FinishingOptions): FinishTurn {
  const { redis, prefix, backlog, bury, together } = options
  const letGo = loadScript('let-go', import.meta.url)
  const finish = loadScript('finish', import.meta.url)
  const global = globalKeys(prefix)

  return async ({ turn, session: ref, epoch }, ending) => {
    const session = sessionKeys(prefix, ref)
    const key = session.turn(turn.id)
    const keys = [
      key.turn,
      key.steps,
      key.events,
      session.inbox,
      session.delayed,
      session.history,
      turn.idempotencyKey === undefined ? key.turn : session.idempotency(turn.idempotencyKey),
    ]
    const args = [epoch, turn.id, ...endingArgs(ending, key.channel, options)]
    const holds = holdFields(ending)

    const whole = async (): Promise<FinishOutcome> => {
      const tenant = tenantOf(ref)
      const { open, running, limited } = global.tenant(tenant)
      const [reply, roused] = (await letGo.run(
        redis,
        [...keys, global.open, global.ended, global.limited, open, running, limited],
        [...args, tenant, backlog.limitsOf(tenant).running, ...holds],
      )) as [Reply, string[]]
      return toOutcome(reply, roused)
    }
    const parts = async (): Promise<FinishOutcome> => {
      const outcome = toOutcome((await finish.run(redis, keys, [...args, ...holds])) as Reply, [])
      if (outcome.outcome === 'fenced') return outcome
      try {
        if (!isTerminal(ending.state)) return { ...outcome, roused: await backlog.stop(turn.id) }
        await bury(turn.id, ending.result)
        return { ...outcome, roused: await backlog.closeAndStop(turn.id, options.resultTtlMs) }
      } catch {
        return outcome // the reconciler closes it, and its place ends with its lease
      }
    }
    // A dead letter is listed before its turn leaves the index: a crash between leaves something to complete.
    return persist(() => (isDeadLetter(ending.result) ? parts() : together(whole, parts)))
  }
}

function toOutcome([outcome, kind, value]: Reply, roused: readonly string[]): FinishOutcome {
  return outcome === 'fenced' ? { outcome } : { outcome, following: toFollowing(kind, value), roused }
}

function endingArgs(
  ending: TurnEnding,
  channel: string,
  { resultTtlMs, eventTtlMs }: FinishingOptions,
): ScriptArgument[] {
  return [
    ending.state,
    ending.result === undefined ? '' : JSON.stringify(ending.result),
    ending.messages === undefined ? '' : JSON.stringify(ending.messages),
    channel,
    ending.events.length === 0 ? '' : JSON.stringify(ending.events),
    resultTtlMs,
    eventTtlMs,
    SESSION_TTL_MS,
    ending.holdMs === undefined ? '' : Math.ceil(ending.holdMs),
  ]
}

/** Fields of the steps hash: `m1.1:approval` or `m1.1:review`, each with what a person is asked. */
function holdFields({ state, holds }: TurnEnding): string[] {
  const kind = state === 'waiting_approval' ? 'approval' : 'review'
  return [...(holds ?? [])].flatMap(([stepId, hold]) => [`${stepId}:${kind}`, holdToText(hold)])
}
