import { type AttemptSummary, TurnkeeperError } from '../../errors.ts'
import { createCollector } from '../../providers/collect.ts'
import type { Answer, Message, ModelRequest, StreamPart } from '../../providers/types.ts'
import type { StepDecision, TurnEventBody, TurnStep } from '../../queue/types.ts'
import { createRelay, type Relay } from './relay.ts'
import { knownAs } from './run-spans.ts'
import type { Interruption, TurnContext } from './turn-context.ts'

/** What the journal keeps of a model step. */
export type ModelStepResult = {
  readonly answer: Pick<Answer, 'text' | 'reasoning' | 'toolCalls' | 'usage' | 'finishReason' | 'route'>
  readonly step: TurnStep
}

/** `uncommitted`: the turn ends with this step, whose result it keeps; its events are left to that one write. */
export type ModelStep = {
  readonly done: ModelStepResult
  readonly uncommitted?: readonly TurnEventBody[]
}

export type ModelStepOptions = {
  readonly messages: readonly Message[]
  /** What was decided before its first attempt. */
  readonly decided: readonly StepDecision[]
  /** Whether an answer without tool calls ends the turn. */
  readonly mayEnd: boolean
}

/**
 * Runs one model step, or replays it if it was committed earlier. A model may be asked twice, so that its step begins
 * without a write of its own: readers are told with the first deltas, or at the next tick.
 */
export async function runModelStep(
  context: TurnContext,
  stepId: string,
  { messages, decided, mayEnd }: ModelStepOptions,
): Promise<ModelStep | Interruption> {
  const { claim, journal } = context
  const replayed = claim.done.get(stepId)
  if (replayed !== undefined) return { done: replayed as ModelStepResult } // what is committed below

  const request = modelRequest(context, messages)
  const name = request.model ?? ''
  const relay = createRelay(journal, claim, { stepId, name, startedAt: redisNow(context) })
  relay.push(
    claim.shown?.stepId === stepId
      ? { type: 'step.restarted', stepId, reason: 'worker_lost' }
      : { type: 'step.started', stepId, kind: 'model', name },
  )
  const called = await callModel(context, stepId, request, relay)
  if ('kind' in called) {
    if (called.kind === 'fenced') await relay.end()
    else await relay.leave()
    return called
  }
  const { waiting, broken } = await relay.end()

  const done: ModelStepResult = { answer: called.answer, step: summary(stepId, name, decided, called) }
  const deltas = broken ? wholeStep(stepId, called.answer) : waiting
  const events: readonly TurnEventBody[] = [...deltas, { type: 'step.completed', stepId }]
  if (mayEnd && called.answer.toolCalls.length === 0) return { done, uncommitted: events }
  return (await journal.commit(claim, { stepId, result: done, events })) === 'fenced'
    ? { kind: 'fenced' }
    : { done }
}

type Called = {
  readonly answer: Answer
  readonly attempts: readonly AttemptSummary[]
  readonly decisions: readonly StepDecision[]
  readonly costUsd: number | null
  readonly durationMs: number
}

async function callModel(
  context: TurnContext,
  stepId: string,
  request: ModelRequest,
  relay: Relay,
): Promise<Called | Interruption> {
  const collector = createCollector('')
  const started = performance.now()
  let failure: TurnkeeperError | undefined
  const emit = (part: StreamPart): void => {
    collector.add(part)
    if (part.type === 'text') relay.push({ type: 'text.delta', stepId, delta: part.delta })
    else if (part.type === 'reasoning') relay.push({ type: 'reasoning.delta', stepId, delta: part.delta })
    else if (part.type === 'error') failure = part.error
  }
  const left = leftMs(context)
  const {
    attempts,
    decisions = [],
    costUsd = null,
    waiting,
  } = await context.callModel(request, emit, {
    signal: context.signal,
    segment: context.claim.turn.options.segment,
    knownAs: knownAs(context.claim.turn, context.claim, stepId),
    ...(left !== undefined && { deadlineMs: left }),
    onRestart: (reason) => relay.push({ type: 'step.restarted', stepId, reason }),
    onReroute: (from, to, reason) => relay.push({ type: 'route.changed', from, to, reason }),
  })
  if (context.signal.aborted) return interruptionOf(context)
  if (waiting) {
    const until = Math.round(redisNow(context) + waiting.forMs)
    return { kind: 'no_route', model: request.model ?? '', ...waiting, until }
  }
  if (failure) return { kind: 'failed', error: failure }
  return { answer: collector.answer(), attempts, decisions, costUsd, durationMs: performance.now() - started }
}

/** Redis's clock, as far as this process can tell: that of the claim and what has passed since. */
function redisNow({ claim: { now, claimedAt } }: TurnContext): number {
  return now + (performance.now() - claimedAt)
}

/** What is left of the turn's time, in milliseconds. */
function leftMs(context: TurnContext): number | undefined {
  const { deadlineAt } = context.claim.turn
  return deadlineAt === undefined ? undefined : Math.max(0, deadlineAt - redisNow(context))
}

/** Why the turn's signal was aborted, as the loop's own words. */
export function interruptionOf({ signal }: TurnContext): Interruption {
  const reason: unknown = signal.reason
  if (!(reason instanceof TurnkeeperError)) return { kind: 'handed_back' }
  if (reason.reason === 'fenced') return { kind: 'fenced' }
  if (reason.reason === 'cancelled') return { kind: 'cancelled', reason: reason.message }
  return { kind: 'failed', error: reason }
}

/** A step's journal entry was written by other code: its turn cannot go on where it was. */
export function changedUnderfoot(stepId: string): TurnkeeperError {
  return new TurnkeeperError(
    'invalid_input',
    `step ${stepId} was begun with other arguments before its worker was lost; enqueue the turn again`,
  )
}

function modelRequest({ claim, agent }: TurnContext, messages: readonly Message[]): ModelRequest {
  const { options } = claim.turn
  const tools = [...agent.tools.values()].map((tool) => tool.spec)
  return {
    model: options.model ?? agent.model,
    messages,
    parameters: { ...agent.parameters, ...options.parameters },
    ...(tools.length > 0 && { tools }),
  }
}

function summary(id: string, name: string, decided: readonly StepDecision[], called: Called): TurnStep {
  const { answer, attempts, costUsd, durationMs } = called
  const decisions = [...decided, ...called.decisions]
  return {
    id,
    kind: 'model',
    name,
    durationMs: Math.round(durationMs),
    route: answer.route,
    attempts: attempts.map(({ message: _message, requestId: _id, status: _status, ...attempt }) => attempt),
    ...(decisions.length > 0 && { decisions }),
    ...(costUsd !== null && { costUsd }),
  }
}

function wholeStep(stepId: string, { text, reasoning }: Answer): TurnEventBody[] {
  return [
    { type: 'step.restarted', stepId, reason: 'relay_interrupted' },
    ...(reasoning ? [{ type: 'reasoning.delta' as const, stepId, delta: reasoning.text }] : []),
    ...(text === '' ? [] : [{ type: 'text.delta' as const, stepId, delta: text }]),
  ]
}
