/**
 * The journal: turns and their steps in Redis, changed by fenced scripts alone.
 *
 * Turn:  queued → running → completed | failed | cancelled
 *                 running → queued (handed back), running → waiting_approval | needs_review → queued
 * Step:  (none) → started → done, of a tool; (none) → done, of a model
 *
 * J1. Accepting is one script: record, place in the session and idempotency record appear together.
 * J2. Every claim raises the turn's epoch, and only the head of a session can be claimed.
 * J3. Every write checks the epoch; a worker that has lost the turn is told so and changes nothing.
 * J4. A step is committed at most once; its result is then replayed, never computed again.
 * J5. A tool's step begun earlier without a result is begun again if `pure` or `idempotent`, never if `unsafe`.
 * J6. What a tool did is a fact: its result is kept even from a fenced worker, unless the step was begun anew.
 * J7. Each state change and the event that tells of it are one script.
 * J8. A turn that waits for a person holds its session and no worker; a decision counts for the very call, arguments
 *     and start that it was asked for.
 * J9. A late fact (an unsafe tool has ended after all, or was never run) ends the review that asks for it.
 * J10. Writes may be resent: a worker repeats them until Redis answers.
 * J11. State and result of a turn that has ended never change. A failed one is retried once, as a new turn that takes
 *     over its finished steps, the starts of its unsafe ones and its tools' idempotency keys; that one may be retried.
 */

import type { RedisConnection } from '../redis/connection.ts'
import type { Confirm } from '../redis/durability.ts'
import {
  globalKeys,
  newTurnId,
  type SessionRef,
  sessionKeys,
  sessionOfTurn,
  type TurnKeys,
} from '../redis/keys.ts'
import { loadScript } from '../redis/scripts.ts'
import { createTogether } from '../redis/together.ts'
import { type AcceptReply, acceptCall, type NamedTurn, toAccepted } from './accepting.ts'
import { type Backlog, createBacklog } from './backlog.ts'
import { createClaiming } from './claiming.ts'
import { createBury } from './dead-letters.ts'
import { createDeltaWriters } from './deltas.ts'
import { createFinishing } from './finishing.ts'
import { createJournalReads } from './journal-reads.ts'
import type {
  Accepted,
  BeginOutcome,
  Claim,
  NewTurn,
  RenewOutcome,
  StepCommit,
  StepStart,
  WriteOutcome,
} from './journal-types.ts'
import { persist } from './persist.ts'
import { holdToText } from './records.ts'
import { createTakingIn, type TakenIn } from './taking-in.ts'
import type { Hold, TurnEventBody, TurnResult } from './types.ts'

export type JournalOptions = {
  readonly redis: RedisConnection
  readonly prefix: string
  /** How long a finished turn can be read, in milliseconds. */
  readonly resultTtlMs: number
  /** How long the events of a finished turn can be read, in milliseconds. */
  readonly eventTtlMs: number
  /** Indexes over all sessions; default: with the default limits. */
  readonly backlog?: Backlog
  /** Waits until what was accepted, or an unsafe start, is as safe as was asked; default: does not wait. */
  readonly confirm?: Confirm
}

export type Journal = ReturnType<typeof createJournal>

const script = (name: string) => loadScript(name, import.meta.url)

/** The journal on one connection. Its methods reject only when Redis cannot be reached. */
export function createJournal({
  redis,
  prefix,
  resultTtlMs,
  eventTtlMs,
  backlog = createBacklog({ redis, prefix }),
  confirm = async () => {},
}: JournalOptions) {
  const scripts = {
    accept: script('accept'),
    renew: script('renew'),
    begin: script('begin'),
    commit: script('commit'),
    withdraw: script('withdraw'),
    settle: script('settle'),
  }
  const global = globalKeys(prefix)
  const keysOf = (ref: SessionRef) => sessionKeys(prefix, ref)
  const turnKeys = (turnId: string): TurnKeys => keysOf(sessionOfTurn(turnId)).turn(turnId)
  const reads = createJournalReads(redis, turnKeys)
  const bury = createBury(redis, { prefix, ttlMs: resultTtlMs })
  const together = createTogether(redis)
  const takeIn = createTakingIn({ redis, prefix, backlog })
  const parts = { redis, prefix, resultTtlMs, eventTtlMs, backlog, bury, together }

  return {
    ...reads,

    /** Accepts a turn that no limit keeps out (J1). */
    async accept(turn: NewTurn): Promise<Accepted> {
      const turnId = newTurnId(turn.session)
      await redis.zadd(global.open, Date.now(), turnId)
      const [accepted] = await this.acceptAll([{ ...turn, turnId }])
      return accepted as Accepted // one for one
    },

    /** Admits and accepts a turn in one, and marks its session as ready (B1, B2, J1); only where one server has all keys. */
    async takeIn(turn: NamedTurn): Promise<TakenIn> {
      const taken = await takeIn(turn)
      if (taken.outcome === 'taken') await confirm()
      return taken
    },

    /**
     * Accepts turns that were admitted, in their order (J1); the answers come in the same order. Whoever admits writes
     * the index of open turns first, so that a crash between leaves a trace.
     */
    async acceptAll(turns: readonly NamedTurn[]): Promise<readonly Accepted[]> {
      const replies = await scripts.accept.runAll(
        redis,
        turns.map((turn) => acceptCall(keysOf(turn.session), turn)),
      )
      const accepted = replies.map((reply) => toAccepted(reply as AcceptReply))
      const unused = turns.filter((_turn, i) => accepted[i]?.outcome !== 'accepted')
      await Promise.all(unused.map(({ turnId }) => backlog.forget(turnId)))
      await confirm()
      return accepted
    },

    /** Claims `turnId` for a worker if it is the head of its session, and takes a place for it (J2, B3). */
    claim: createClaiming(parts),

    /** Prolongs the lease of a claimed turn, and tells whether somebody wants it cancelled. */
    async renew(claim: Claim, leaseMs: number): Promise<RenewOutcome> {
      const key = turnKeys(claim.turn.id).turn
      const [reply] = await Promise.all([
        scripts.renew.run(redis, [key], [claim.epoch, leaseMs]),
        backlog.renew(claim.turn.id, leaseMs),
      ])
      const [outcome, reason] = reply as [string, string?]
      return outcome === 'cancel' ? { outcome, reason: reason ?? '' } : { outcome: outcome as WriteOutcome }
    },

    /** Begins a tool's step, or says what is known of it (J4, J5). */
    async begin(claim: Claim, step: StepStart): Promise<BeginOutcome> {
      const keys = turnKeys(claim.turn.id)
      const again: readonly TurnEventBody[] = [
        { type: 'step.restarted', stepId: step.stepId, reason: 'worker_lost' },
        ...step.events.filter((event) => event.type !== 'step.started'),
      ]
      const args = [
        claim.epoch,
        step.stepId,
        step.nonce,
        step.kind,
        step.name,
        step.effect,
        step.hash,
        keys.channel,
        JSON.stringify(step.events),
        JSON.stringify(again),
      ]
      const begin = () => scripts.begin.run(redis, [keys.turn, keys.steps, keys.events], args)
      const [outcome, detail] = (await persist(begin)) as [BeginOutcome['outcome'], string?]
      if (step.effect === 'unsafe' && (outcome === 'go' || outcome === 'reviewed')) await confirm()
      if (outcome === 'done') return { outcome, result: JSON.parse(detail ?? 'null') }
      if (outcome === 'ambiguous') return { outcome, nonce: detail ?? '' }
      if (outcome === 'reviewed') return { outcome, decision: JSON.parse(detail ?? '{}') as Hold }
      return { outcome }
    },

    /** Commits a step's result (J4, J6). */
    async commit(claim: Claim, step: StepCommit): Promise<WriteOutcome> {
      const keys = turnKeys(claim.turn.id)
      const args = [
        claim.epoch,
        step.stepId,
        step.nonce ?? '',
        JSON.stringify(step.result ?? null),
        keys.channel,
        JSON.stringify(step.events),
      ]
      const commit = () => scripts.commit.run(redis, [keys.turn, keys.steps, keys.events], args)
      return (await persist(commit)) as WriteOutcome
    },

    /** Takes back the start of a step whose tool was never run (J9). */
    async withdraw(claim: Claim, { stepId, nonce }: { stepId: string; nonce: string }): Promise<void> {
      const keys = turnKeys(claim.turn.id)
      await persist(() => scripts.withdraw.run(redis, [keys.turn, keys.steps], [stepId, nonce]))
    },

    /** Hands events on to the readers of a running turn; a writer for each step, since its keys stay the same. */
    relay: createDeltaWriters(redis, turnKeys, together),

    /** Says what became of an unsafe step whose start was lost, before it is begun again. */
    async settle(claim: Claim, stepId: string, decision: Hold): Promise<WriteOutcome> {
      const keys = turnKeys(claim.turn.id)
      const args = [claim.epoch, stepId, holdToText(decision)]
      return (await scripts.settle.run(redis, [keys.turn, keys.steps], args)) as WriteOutcome
    },

    /** Ends, parks or hands back a claimed turn, which gives its place back (J7, B3). */
    finish: createFinishing(parts),

    /** Moves a turn that has ended without running to the indexes of such; without its result, that is looked up. */
    async closeIndex(turnId: string, result?: TurnResult): Promise<void> {
      await bury(turnId, result ?? (await reads.read(turnId))?.result)
      await backlog.close(turnId, resultTtlMs)
    },
  }
}
