/**
 * One turn, from the claim to its ending: model → tools → model … until the model asks for no more tools.
 *
 * An agent with a plan plans first: see plan.ts.
 *
 * T1. Step ids depend on the course of the turn alone, so a replay after a crash meets the same steps.
 * T2. A step that was committed is replayed, never run again.
 * T3. Only a completed turn gives its messages to the session.
 */

import { TurnkeeperError } from '../../errors.ts'
import type { TurnEnding } from '../../queue/journal-types.ts'
import type { TurnEventBody, TurnRecord } from '../../queue/types.ts'
import { runToolStep } from '../tools/tool-step.ts'
import { runModelStep } from './model-step.ts'
import { endPlan, openRound } from './plan.ts'
import { addAnswer, addToolResult, openTranscript, resultOf, type Transcript } from './transcript.ts'
import type { Interruption, TurnContext, Waiting } from './turn-context.ts'

/** How a turn left the loop; after `fenced` there is nothing to write. */
export type LoopEnding =
  | (TurnEnding & {
      /** What the turn waits for, of one that is handed back since no route can serve it. */
      readonly waitsFor?: { readonly model: string; readonly reason: string }
    })
  | { readonly state: 'fenced' }

/** Runs a claimed turn as far as this worker can. Rejects only when Redis is gone. */
export async function runTurn(turn: TurnContext): Promise<LoopEnding> {
  const { agent, claim, leaving } = turn
  const transcript = openTranscript(claim, agent)
  const interrupted = (...why: Interruption[]): LoopEnding => endingOf(why, claim.turn, transcript)

  for (let round = 1; round <= agent.maxSteps; round++) {
    if (leaving.aborted) return interrupted({ kind: 'handed_back' })
    const { context, messages, decisions, isPlan } = openRound(turn, transcript, round)
    const options = { messages, decided: decisions, mayEnd: !isPlan }
    const model = await runModelStep(context, `m${round}`, options)
    if ('kind' in model) return interrupted(model)
    addAnswer(transcript, model.done)
    const { toolCalls } = model.done.answer
    if (toolCalls.length === 0) {
      if (!isPlan) return completed(claim.turn, transcript, model.uncommitted)
      endPlan(transcript, round + 1, 'plan_made')
      continue
    }

    if (leaving.aborted) return interrupted({ kind: 'handed_back' })
    const tools = await Promise.all(
      toolCalls.map((call, i) => runToolStep(context, `m${round}.${i + 1}`, call)),
    )
    const results = tools.filter((tool) => 'message' in tool)
    if (results.length < tools.length) return interrupted(...tools.filter((tool) => 'kind' in tool))
    for (const result of results) addToolResult(transcript, result)
  }
  const problem = `agent ${agent.name} used its ${agent.maxSteps} steps without an answer`
  return interrupted({ kind: 'failed', error: new TurnkeeperError('max_steps', problem) })
}

function completed(
  turn: TurnRecord,
  transcript: Transcript,
  ofLastStep: readonly TurnEventBody[] = [],
): LoopEnding {
  return {
    state: 'completed',
    result: resultOf(transcript, turn, { status: 'completed' }),
    messages: transcript.messages.slice(transcript.from),
    events: [...ofLastStep, { type: 'turn.completed', text: transcript.text }],
  }
}

/** Of several interruptions of one round the first of these decides. */
const WEIGHT = [
  'fenced',
  'cancelled',
  'failed',
  'handed_back',
  'no_route',
  'needs_review',
  'waiting_approval',
] as const

/** What the interruptions of a round make of a turn. */
export function endingOf(why: readonly Interruption[], turn: TurnRecord, transcript: Transcript): LoopEnding {
  const kind = WEIGHT.find((candidate) => why.some((interruption) => interruption.kind === candidate))
  const decisive = why.filter((interruption) => interruption.kind === kind)
  const first = decisive[0]
  switch (first?.kind) {
    case undefined:
    case 'handed_back':
      return { state: 'queued', events: [] }
    case 'no_route': {
      const { model, forMs, reason, until } = first
      const events = [{ type: 'turn.waiting' as const, until, reason }]
      return { state: 'queued', events, holdMs: forMs, waitsFor: { model, reason } }
    }
    case 'fenced':
      return { state: 'fenced' }
    case 'failed':
      return failedEnding(first.error, turn, transcript)
    case 'cancelled': {
      for (const interruption of decisive) {
        if (interruption.kind === 'cancelled' && interruption.step) transcript.steps.push(interruption.step)
      }
      const error = new TurnkeeperError('cancelled', first.reason).toJSON()
      return {
        state: 'cancelled',
        result: resultOf(transcript, turn, { status: 'cancelled', error }),
        events: [{ type: 'turn.cancelled', reason: first.reason }],
      }
    }
    case 'waiting_approval':
    case 'needs_review':
      return parkedEnding(first.kind, decisive, turn, transcript)
  }
}

function failedEnding(failure: TurnkeeperError, turn: TurnRecord, transcript: Transcript): LoopEnding {
  const error = failure.toJSON()
  return {
    state: 'failed',
    result: resultOf(transcript, turn, { status: 'failed', error }),
    events: [{ type: 'turn.failed', error }],
  }
}

function parkedEnding(
  state: 'waiting_approval' | 'needs_review',
  why: readonly Interruption[],
  turn: TurnRecord,
  transcript: Transcript,
): LoopEnding {
  const waits = why.filter((interruption): interruption is Waiting => interruption.kind === state)
  const limits = waits.flatMap(({ holdMs }) => holdMs ?? [])
  return {
    state,
    events: waits.map(({ event }) => event),
    holds: new Map(waits.map(({ stepId, hold }) => [stepId, hold])),
    ...(state === 'needs_review' && { result: resultOf(transcript, turn, { status: 'needs_review' }) }),
    ...(limits.length > 0 && { holdMs: Math.min(...limits) }),
  }
}
