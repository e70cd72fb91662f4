/**
 * The journal: turns and their steps in Redis, changed by fenced scripts alone.
 *
 * Turn:  queued → running → completed | failed | cancelled
 *                 running → queued (handed back), running → waiting_approval | needs_review → queued
 * Step:  (none) → started → done
 *
 * J1. Accepting is one script: record, place in the session and idempotency record appear together.
 * J2. Every claim raises the turn's epoch, and only the head of a session can be claimed.
 * J3. Every write checks the epoch; a worker that has lost the turn is told so and changes nothing.
 * J4. A step is committed at most once; its result is then replayed, never computed again.
 * J5. A step begun earlier without a result is begun again if `pure` or `idempotent`, never if `unsafe`.
 * J6. What a tool did is a fact: its result is kept even from a fenced worker, unless the step was begun anew.
 * J7. Each state change and the event that tells of it are one script.
 * J8. A turn that waits for a person holds its session and no worker; a decision counts for the very call, arguments
 *     and start that it was asked for.
 * J9. A late fact (an unsafe tool has ended after all, or was never run) ends the review that asks for it.
 * J10. Writes may be resent: a worker repeats them until Redis answers.
 * J11. State and result of a turn that has ended never change. A failed one is retried once, as a new turn that takes
 *     over its finished steps, the starts of its unsafe ones and its tools' idempotency keys; that one may be retried.
 */

import { createHash } from 'node:crypto'
import type { RedisConnection } from '../redis/connection.ts'
import type { Confirm } from '../redis/durability.ts'
import {
  globalKeys,
  newTurnId,
  type SessionKeys,
  type SessionRef,
  sessionKeys,
  sessionOfTurn,
  type TurnKeys,
} from '../redis/keys.ts'
import { loadScript, type ScriptCall } from '../redis/scripts.ts'
import { type Backlog, createBacklog } from './backlog.ts'
import { createBury } from './dead-letters.ts'
import { createDeltaWriters } from './deltas.ts'
import { createJournalReads } from './journal-reads.ts'
import type {
  Accepted,
  BeginOutcome,
  Claim,
  ClaimOutcome,
  FinishOutcome,
  Following,
  NewTurn,
  RenewOutcome,
  StepCommit,
  StepStart,
  TurnEnding,
  WriteOutcome,
} from './journal-types.ts'
import { persist } from './persist.ts'
import { hashToClaim, hashToLostRun } from './records.ts'
import {
  type Hold,
  isTerminal,
  type Json,
  type TurnEventBody,
  type TurnResult,
  type TurnState,
} from './types.ts'

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

/** How long a session is remembered after its last turn. */
const SESSION_TTL_MS = 30 * 24 * 3_600_000

/** How long a worker repeats a write that nobody answers: what it knows would be lost with it. */
const PATIENCE_MS = 60_000

const script = (name: string) => loadScript(name, import.meta.url)

/** A hash of any JSON, for comparing what was asked. */
export function hashOf(value: Json): string {
  return createHash('sha256')
    .update(JSON.stringify(value) ?? 'undefined')
    .digest('base64url')
    .slice(0, 22)
}

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
    claim: script('claim'),
    renew: script('renew'),
    begin: script('begin'),
    commit: script('commit'),
    withdraw: script('withdraw'),
    settle: script('settle'),
    finish: script('finish'),
  }
  const global = globalKeys(prefix)
  const keysOf = (ref: SessionRef) => sessionKeys(prefix, ref)
  const turnKeys = (turnId: string): TurnKeys => keysOf(sessionOfTurn(turnId)).turn(turnId)
  const reads = createJournalReads(redis, turnKeys)
  const bury = createBury(redis, { prefix, ttlMs: resultTtlMs })

  return {
    ...reads,

    /** Accepts a turn that no limit keeps out (J1). */
    async accept(turn: NewTurn): Promise<Accepted> {
      const turnId = newTurnId(turn.session)
      await redis.zadd(global.open, Date.now(), turnId)
      const [accepted] = await this.acceptAll([{ ...turn, turnId }])
      return accepted as Accepted // one for one
    },

    /**
     * Accepts turns that were admitted, in their order (J1); the answers come in the same order. Whoever admits writes
     * the index of open turns first, so that a crash between leaves a trace.
     */
    async acceptAll(turns: readonly (NewTurn & { readonly turnId: string })[]): Promise<readonly Accepted[]> {
      const replies = await scripts.accept.runAll(
        redis,
        turns.map((turn) => acceptCall(keysOf(turn.session), turn)),
      )
      const accepted = replies.map((reply) => toAccepted(reply as [string, string, string]))
      const unused = turns.filter((_turn, i) => accepted[i]?.outcome !== 'accepted')
      await Promise.all(unused.map(({ turnId }) => backlog.forget(turnId)))
      await confirm()
      return accepted
    },

    /** Claims `turnId` for a worker if it is the head of its session (J2). */
    async claim(
      turnId: string,
      who: {
        worker: string
        wakeup: string
        leaseMs: number
        agents: readonly string[] | '*'
        /** A worker that has died: its lease counts no longer. */
        gone?: string
      },
    ): Promise<ClaimOutcome> {
      const ref = sessionOfTurn(turnId)
      const session = keysOf(ref)
      const turn = session.turn(turnId)
      const agents = who.agents === '*' ? '*' : `,${who.agents.join(',')},`
      const reply = (await scripts.claim.run(
        redis,
        [turn.turn, turn.steps, turn.events, session.inbox, session.delayed, session.history],
        [turnId, who.worker, who.wakeup, who.leaseMs, turn.channel, agents, who.gone ?? ''],
      )) as [string, ...unknown[]]
      switch (reply[0]) {
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
          const [, epoch, record, steps, history, now, lost, lostAt] = reply as ClaimReply
          const claim = {
            ...hashToClaim(record, steps, history),
            ...(lost && lostAt && { lost: hashToLostRun(steps, { lost, lostAt, epoch }) }),
            session: ref,
            epoch: Number(epoch),
            now: Number(now),
          }
          return { outcome: 'claimed', claim: { ...claim, claimedAt: performance.now() } }
        }
      }
    },

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

    /** Begins a step, or says what is known of it (J4, J5). */
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
      const [outcome, detail] = (await persist(begin, PATIENCE_MS)) as [BeginOutcome['outcome'], string?]
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
        step.nonce,
        JSON.stringify(step.result ?? null),
        keys.channel,
        JSON.stringify(step.events),
      ]
      const commit = () => scripts.commit.run(redis, [keys.turn, keys.steps, keys.events], args)
      return (await persist(commit, PATIENCE_MS)) as WriteOutcome
    },

    /** Takes back the start of a step whose tool was never run (J9). */
    async withdraw(claim: Claim, { stepId, nonce }: { stepId: string; nonce: string }): Promise<void> {
      const keys = turnKeys(claim.turn.id)
      await persist(() => scripts.withdraw.run(redis, [keys.turn, keys.steps], [stepId, nonce]), PATIENCE_MS)
    },

    /** Hands events on to the readers of a running turn; a writer for each step, since its keys stay the same. */
    relay: createDeltaWriters(redis, turnKeys),

    /** Says what became of an unsafe step whose start was lost, before it is begun again. */
    async settle(claim: Claim, stepId: string, decision: Hold): Promise<WriteOutcome> {
      const keys = turnKeys(claim.turn.id)
      const args = [claim.epoch, stepId, JSON.stringify(decision)]
      return (await scripts.settle.run(redis, [keys.turn, keys.steps], args)) as WriteOutcome
    },

    /** Ends, parks or hands back a claimed turn; one that has ended gives its place back. */
    async finish(claim: Claim, ending: TurnEnding): Promise<FinishOutcome> {
      const { turn } = claim
      const { lastStep } = ending
      const events = [...(lastStep?.events ?? []), ...ending.events]
      const session = keysOf(claim.session)
      const keys = session.turn(turn.id)
      const written = [
        keys.turn,
        keys.steps,
        keys.events,
        session.inbox,
        session.delayed,
        session.history,
        turn.idempotencyKey === undefined ? keys.turn : session.idempotency(turn.idempotencyKey),
      ]
      const args = [
        claim.epoch,
        turn.id,
        ending.state,
        ending.result === undefined ? '' : JSON.stringify(ending.result),
        ending.messages === undefined ? '' : JSON.stringify(ending.messages),
        keys.channel,
        events.length === 0 ? '' : JSON.stringify(events),
        resultTtlMs,
        eventTtlMs,
        SESSION_TTL_MS,
        ending.holdMs === undefined ? '' : Math.ceil(ending.holdMs),
        ...(lastStep
          ? [lastStep.stepId, lastStep.nonce, JSON.stringify(lastStep.result ?? null)]
          : ['', '', '']),
        ...holdFields(ending),
      ]
      const finish = () => scripts.finish.run(redis, written, args)
      const [outcome, kind, value] = (await persist(finish, PATIENCE_MS)) as [string, string, string]
      if (outcome === 'fenced') return { outcome }
      const following = toFollowing(kind, value)
      if (!isTerminal(ending.state)) return { outcome: 'ok', following }
      try {
        await bury(turn.id, ending.result)
        return { outcome: 'ok', following, roused: await backlog.closeAndStop(turn.id, resultTtlMs) }
      } catch {
        return { outcome: 'ok', following } // the reconciler closes it
      }
    },

    /** Moves a turn that has ended without running to the indexes of such; without its result, that is looked up. */
    async closeIndex(turnId: string, result?: TurnResult): Promise<void> {
      await bury(turnId, result ?? (await reads.read(turnId))?.result)
      await backlog.close(turnId, resultTtlMs)
    },
  }
}

/** Keys and arguments of the script that accepts a turn. */
function acceptCall(session: SessionKeys, turn: NewTurn & { readonly turnId: string }): ScriptCall {
  const { turnId, idempotencyKey } = turn
  const { turn: key } = session.turn(turnId)
  return {
    keys: [
      key,
      session.inbox,
      session.delayed,
      idempotencyKey === undefined ? key : session.idempotency(idempotencyKey),
    ],
    args: [
      turnId,
      idempotencyKey === undefined ? '' : '1',
      hashOf([turn.agent, turn.input, turn.options]),
      turn.delayMs ?? 0,
      turn.deadlineMs ?? '',
      'agent',
      turn.agent,
      'input',
      turn.input,
      'options',
      JSON.stringify(turn.options),
      'carrier',
      JSON.stringify(turn.carrier),
      'idempotencyKey',
      idempotencyKey ?? '',
    ],
  }
}

function toAccepted([outcome, turnId, position]: readonly [string, string, string]): Accepted {
  if (outcome === 'conflict') return { outcome, turnId }
  return { outcome: outcome as 'accepted' | 'duplicate', turnId, position: Number(position) }
}

type ClaimReply = [
  outcome: string,
  epoch: string,
  record: string[],
  steps: string[],
  history: string[],
  now: string,
  lost: string,
  lostAt: string,
]

/** Fields of the steps hash: `m1.1:approval` or `m1.1:review`, each with what a person is asked. */
function holdFields({ state, holds }: TurnEnding): string[] {
  const kind = state === 'waiting_approval' ? 'approval' : 'review'
  return [...(holds ?? [])].flatMap(([stepId, hold]) => [`${stepId}:${kind}`, JSON.stringify(hold)])
}

/** What a script has said of a session's next wish. */
export function toFollowing(kind: unknown, value: unknown): Following {
  if (kind === 'turn') return { kind, turnId: String(value) }
  if (kind === 'due') return { kind, inMs: Number(value) }
  return { kind: 'nothing' }
}
