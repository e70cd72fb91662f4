/**
 * What a worker does when it is woken for a session: claim the head of its inbox, run it, finish it, and wake the
 * session again if more waits. One turn a wake-up, so that a busy session does not keep others waiting.
 */

import { TurnkeeperError } from '../../errors.ts'
import type { QueueBackend } from '../../queue/backend.ts'
import { isBeside, type WakeUp } from '../../queue/bullmq.ts'
import type { Claim, Following } from '../../queue/journal-types.ts'
import type { TurnRecord, TurnStep } from '../../queue/types.ts'
import type { ActiveSpan, Telemetry } from '../../telemetry/telemetry.ts'
import type { Agent } from '../agent.ts'
import {
  agentAttributes,
  knownAs,
  processAttributes,
  processOptions,
  tellLostRun,
} from '../turn/run-spans.ts'
import { openTranscript } from '../turn/transcript.ts'
import type { CallModel } from '../turn/turn-context.ts'
import { endingOf, type LoopEnding, runTurn } from '../turn/turn-loop.ts'
import { keepLease, type Lease } from './lease.ts'
import type { WaitingTurns } from './waiting-turns.ts'

export type WakeHandlerOptions = {
  readonly backend: QueueBackend
  readonly agents: ReadonlyMap<string, Agent>
  readonly callModel: CallModel
  readonly telemetry: Telemetry
  /** Name of this worker, in events and logs. */
  readonly worker: string
  readonly queue: string
  readonly leaseMs: number
  /** Told of each turn that waits for a route. */
  readonly onWaiting?: WaitingTurns['add']
  /** The turns that run here, for whoever wants one cancelled. */
  readonly leases: Map<string, Lease>
  /** Whether a worker has died: its turn is taken over before its lease has run out. */
  readonly isGone: (worker: string) => boolean
  /** Aborted when the worker is leaving: no new step is begun. */
  readonly leaving: AbortSignal
  /** Aborted when its time to leave is over: running steps are given up. */
  readonly stopped: AbortSignal
}

export type WakeHandler = (wakeUp: WakeUp & { readonly id: string }) => Promise<void>

/** How long a turn waits for a worker that has its agent. */
const UNSERVED_MS = 60_000
const UNSERVED_RETRY_MS = 500
/** So many claims without a finished step mean that the turn itself kills its workers. */
const MAX_IDLE_CLAIMS = 5
/** What setTimeout can hold; more would fire at once. */
const LONGEST_TIMER_MS = 2 ** 31 - 1

export function createWakeHandler(options: WakeHandlerOptions): WakeHandler {
  const { backend, agents, worker, leaseMs } = options
  const { journal, wakeQueue } = backend
  options.stopped.addEventListener('abort', () => {
    for (const lease of options.leases.values()) lease.end(options.stopped.reason)
  })

  const wakeFor = async (following: Following, turnId: string, beside = false): Promise<void> => {
    if (following.kind === 'turn') await wakeQueue.wake(following.turnId, beside ? { delayMs: 1 } : {})
    else if (following.kind === 'due') await wakeQueue.wake(turnId, { delayMs: following.inMs + 1 })
  }

  return async ({ turnId, id }) => {
    const names = [...agents.keys()]
    let target = turnId
    let served: readonly string[] | '*' = names
    let gone = ''
    for (;;) {
      const claimed = await journal.claim(target, { worker, wakeup: id, leaseMs, agents: served, gone })
      if (claimed.roused) await wakeAll(wakeQueue, claimed.roused)
      switch (claimed.outcome) {
        case 'limited': // woken when a turn of its tenant ends
          return
        case 'next':
          if (claimed.following.kind !== 'turn') return wakeFor(claimed.following, target)
          target = claimed.following.turnId
          continue
        case 'parked':
          if (claimed.forMs !== undefined) await wakeQueue.wake(target, { delayMs: claimed.forMs + 1 })
          return
        case 'busy':
          if (gone === '' && options.isGone(claimed.worker)) {
            gone = claimed.worker
            continue
          }
          return wakeQueue.wake(target, { delayMs: claimed.forMs + 1 })
        case 'unserved':
          if (claimed.sinceMs < UNSERVED_MS) {
            return wakeQueue.wake(target, { delayMs: UNSERVED_RETRY_MS * (1 + Math.random()) })
          }
          served = '*'
          continue
        case 'claimed': {
          const following = await runClaimed(options, claimed.claim)
          // A dead worker's job may still hold the session's place: what follows comes beside it, too.
          return wakeFor(following, target, gone !== '' || isBeside(id))
        }
      }
    }
  }
}

/** Wakes turns that have waited for a place among the running ones of their tenant. */
async function wakeAll(wakeQueue: QueueBackend['wakeQueue'], turnIds: readonly string[]): Promise<void> {
  await Promise.all(turnIds.map((turnId) => wakeQueue.wake(turnId)))
}

async function runClaimed(options: WakeHandlerOptions, claim: Claim): Promise<Following> {
  const { telemetry, queue } = options
  const { turn } = claim
  if (claim.epoch === 1) {
    telemetry.record('queue_wait_seconds', { queue }, Math.max(0, claim.now - turn.dueAt) / 1000)
  }
  const startedAt = performance.now()
  const isTool = (name: string): boolean => options.agents.get(turn.agent)?.tools.has(name) ?? false
  await tellLostRun(claim, { telemetry, queue, isTool })
  const run = { epoch: claim.epoch, worker: options.worker }
  const following = await telemetry.observe(
    'process turns',
    processAttributes(turn, run, queue),
    (span) => runLeased(options, claim, span),
    processOptions(turn, run),
  )
  const labels = {
    messaging_system_name: 'bullmq',
    messaging_operation_name: 'process',
    messaging_destination_name: queue,
  }
  telemetry.record('messaging_process_duration_seconds', labels, (performance.now() - startedAt) / 1000)
  return following
}

async function runLeased(options: WakeHandlerOptions, claim: Claim, span: ActiveSpan): Promise<Following> {
  const { backend, telemetry, leaseMs } = options
  const lease = keepLease(backend.journal, claim, leaseMs)
  options.leases.set(claim.turn.id, lease)
  if (options.stopped.aborted) lease.end(options.stopped.reason)
  if (claim.cancel !== undefined) lease.cancel(claim.cancel)
  tellStart(telemetry, claim)
  try {
    const ending = await runAgent(options, claim, lease)
    span.set({ 'turn.outcome': ending.state })
    if (ending.state === 'fenced') {
      telemetry.log.warn({ turn_id: claim.turn.id, epoch: claim.epoch }, 'lost the turn to another worker')
      return { kind: 'nothing' }
    }
    const finished = await backend.journal.finish(claim, ending)
    if (finished.outcome === 'fenced') return { kind: 'nothing' }
    tellEnd(telemetry, claim, ending)
    await wakeAll(backend.wakeQueue, finished.roused)
    await countSpend(backend, claim, ending)
    if (ending.holdMs !== undefined) {
      await backend.wakeQueue.wake(claim.turn.id, { delayMs: ending.holdMs + 1 })
    }
    if (ending.waitsFor !== undefined) {
      const { model, reason } = ending.waitsFor
      const { id, options: asked } = claim.turn
      // Without a budget for retries a route would be there at once, and nothing would be gained.
      if (reason !== 'retry_budget')
        options.onWaiting?.(id, { model, segment: asked.segment }, ending.holdMs ?? 0)
      return { kind: 'nothing' }
    }
    return finished.following
  } finally {
    // A run that was lost may end after this worker has taken the turn up again: that lease is not its own.
    if (options.leases.get(claim.turn.id) === lease) options.leases.delete(claim.turn.id)
    lease.close()
  }
}

async function runAgent(options: WakeHandlerOptions, claim: Claim, lease: Lease): Promise<LoopEnding> {
  const { turn } = claim
  const { agents, backend, callModel, telemetry, leaving } = options
  const agent = agents.get(turn.agent)
  if (!agent) {
    const error = new TurnkeeperError('unknown_agent', `no worker has agent "${turn.agent}"`)
    return endingOf([{ kind: 'failed', error }], turn, openTranscript(claim))
  }

  if (claim.idleClaims > MAX_IDLE_CLAIMS) {
    const error = new TurnkeeperError(
      'poisoned',
      `${MAX_IDLE_CLAIMS} workers in a row were lost with this turn without finishing a step; it is not tried again`,
    )
    return endingOf([{ kind: 'failed', error }], turn, openTranscript(claim))
  }

  const forgetDeadline = watchDeadline(turn, claim.now, lease)
  const startedAt = performance.now()
  try {
    return await telemetry.observe(
      'invoke_agent',
      agentAttributes(turn),
      async (span) => {
        const ending = await runTurn({
          claim,
          agent,
          journal: backend.journal,
          callModel,
          telemetry,
          signal: lease.ended,
          checkLease: lease.check,
          leaving,
        })
        if ('result' in ending && ending.result?.error) span.fail(ending.result.error.code)
        telemetry.record(
          'gen_ai_invoke_agent_duration_seconds',
          { gen_ai_agent_name: agent.name, outcome: OUTCOMES[ending.state] ?? ending.state },
          (performance.now() - startedAt) / 1000,
        )
        return ending
      },
      { knownAs: knownAs(turn, claim) },
    )
  } finally {
    forgetDeadline()
  }
}

/** Ends the work of a turn when its deadline passes; returns what ends the watching. */
function watchDeadline({ deadlineAt }: TurnRecord, now: number, lease: Lease): () => void {
  if (deadlineAt === undefined) return () => {}
  const end = (): void => lease.end(new TurnkeeperError('deadline', 'the deadline of the turn has passed'))
  // Both times are Redis's own, so a wrong clock here does not matter.
  const timer = setTimeout(end, Math.min(LONGEST_TIMER_MS, Math.max(0, deadlineAt - now)))
  if (deadlineAt <= now) end()
  return () => clearTimeout(timer)
}

const MESSAGES: Readonly<Record<string, string>> = {
  queued: 'turn handed back',
  waiting_approval: 'turn waits for an approval',
  needs_review: 'turn needs a review',
}
const OUTCOMES: Readonly<Record<string, string>> = {
  completed: 'ok',
  failed: 'failed',
  cancelled: 'cancelled',
}

/** An ordinary start is in the trace and the journal; a line for it would double what the log of a turn costs. */
function tellStart({ log }: Telemetry, { turn, epoch, lost }: Claim): void {
  const fields = { turn_id: turn.id, agent: turn.agent, epoch }
  if (lost) log.info({ ...fields, lost_worker: lost.worker }, 'turn taken over')
  else log.debug(fields, 'turn started')
}

/** Counts what an ended turn has cost its segment. A crash before it, or a Redis that is gone, leaves it uncounted. */
async function countSpend({ spend }: QueueBackend, { turn }: Claim, ending: LoopEnding): Promise<void> {
  const { segment } = turn.options
  if (segment === undefined || OUTCOMES[ending.state] === undefined || !('result' in ending)) return
  const costUsd = ending.result?.costUsd ?? 0
  if (costUsd > 0) await spend.add(segment, costUsd).catch(() => {})
}

function tellEnd(telemetry: Telemetry, claim: Claim, ending: LoopEnding): void {
  const { turn } = claim
  const outcome = OUTCOMES[ending.state]
  const result = 'result' in ending ? ending.result : undefined
  const durationMs = claim.now - turn.acceptedAt + (performance.now() - claim.claimedAt)
  if (outcome !== undefined) {
    telemetry.count('turns_total', { agent: turn.agent, outcome })
    telemetry.record('turn_duration_seconds', { agent: turn.agent, outcome }, durationMs / 1000)
    recordCalls(telemetry, turn.agent, result?.steps ?? [])
  }
  const waitsFor = 'waitsFor' in ending ? ending.waitsFor : undefined
  telemetry.log.info(
    {
      turn_id: turn.id,
      agent: turn.agent,
      state: ending.state,
      steps: result?.steps.length ?? 0,
      duration_ms: Math.round(durationMs),
      ...(result?.error && { code: result.error.code }),
      ...waitsFor,
    },
    waitsFor ? 'turn waits for a route' : (MESSAGES[ending.state] ?? 'turn ended'),
  )
}

function recordCalls(telemetry: Telemetry, agent: string, steps: readonly TurnStep[]): void {
  const labels = { gen_ai_agent_name: agent }
  const calls = steps.filter(({ kind }) => kind === 'model').length
  telemetry.record('gen_ai_invoke_agent_inference_calls', labels, calls)
  telemetry.record('gen_ai_invoke_agent_tool_calls', labels, steps.length - calls)
}
