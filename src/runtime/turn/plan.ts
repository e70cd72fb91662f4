/**
 * Plan mode: the first rounds of a turn, in which the model may look but not act. It ends with the first answer that
 * calls no tool, which is the plan, or by itself after `plan.turnLimit` rounds. Which round is of which mode depends on
 * the course of the turn alone, so a replay after a crash decides alike.
 */

import type { Message } from '../../providers/types.ts'
import type { StepDecision } from '../../queue/types.ts'
import type { Agent } from '../agent.ts'
import type { Tool } from '../tools/tool.ts'
import type { Transcript } from './transcript.ts'
import type { TurnContext } from './turn-context.ts'

const WHILE_PLANNING =
  'You are in plan mode: look around with the tools you have, which change nothing, then answer with your plan. ' +
  'You carry it out afterwards, with all your tools.'

type PlanEnd = NonNullable<Transcript['planEnd']>['why']

const TO_ACT = {
  plan_made: 'Carry out your plan now. You have all your tools.',
  plan_turn_limit: 'The time for planning is over. Act now on what you know. You have all your tools.',
} as const satisfies Record<PlanEnd, string>

/** What the next round may do, is sent, and shows of it. */
export type Round = {
  readonly isPlan: boolean
  readonly context: TurnContext
  readonly messages: readonly Message[]
  readonly decisions: readonly StepDecision[]
}

/** The `round`-th round of a turn, from 1. Ends plan mode when its rounds are used up. */
export function openRound(context: TurnContext, transcript: Transcript, round: number): Round {
  const { agent } = context
  const { messages } = transcript
  if (agent.plan === undefined) return { isPlan: false, context, messages, decisions: [] }
  const { turnLimit } = agent.plan
  if (transcript.planEnd === undefined && round > turnLimit) endPlan(transcript, round, 'plan_turn_limit')
  if (transcript.planEnd === undefined) {
    return {
      isPlan: true,
      context: { ...context, agent: { ...agent, tools: pureTools(agent) } },
      messages: toldToPlan(messages),
      decisions: [decision('plan', context, `round ${round} of at most ${turnLimit}`)],
    }
  }
  const { at, why } = transcript.planEnd
  return { isPlan: false, context, messages, decisions: at === round ? [decision('act', context, why)] : [] }
}

/** From round `at` on the turn acts: the model is told so. */
export function endPlan(transcript: Transcript, at: number, why: PlanEnd): void {
  transcript.planEnd = { at, why }
  transcript.messages.push({ role: 'user', content: TO_ACT[why] })
}

function pureTools({ tools }: Agent): ReadonlyMap<string, Tool> {
  return new Map([...tools].filter(([, { effect }]) => effect === 'pure'))
}

/** Instructions are one message, the first. */
function toldToPlan([first, ...rest]: readonly Message[]): readonly Message[] {
  if (first?.role === 'system') {
    return [{ ...first, content: `${first.content}\n\n${WHILE_PLANNING}` }, ...rest]
  }
  const told: Message = { role: 'system', content: WHILE_PLANNING }
  return first === undefined ? [told] : [told, first, ...rest]
}

function decision(type: 'plan' | 'act', { agent, claim }: TurnContext, reason: string): StepDecision {
  const model = claim.turn.options.model ?? agent.model
  return { type, from: model, to: model, reason }
}
