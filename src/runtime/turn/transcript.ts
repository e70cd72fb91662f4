import { sumCosts } from '../../providers/models/pricing.ts'
import type { Message } from '../../providers/types.ts'
import type { Claim } from '../../queue/journal-types.ts'
import {
  noUsage,
  type TurnRecord,
  type TurnResult,
  type TurnStep,
  type TurnUsage,
} from '../../queue/types.ts'
import type { Agent } from '../agent.ts'
import type { ToolStepResult } from '../tools/tool-step.ts'
import type { ModelStepResult } from './model-step.ts'
import { addUsage } from './usage.ts'

/** The messages of a turn as they grow, and the sums that its result shows. */
export type Transcript = {
  /** What the model is sent: instructions, the session's past, this turn. */
  readonly messages: Message[]
  /** Where this turn begins in `messages`. */
  readonly from: number
  readonly steps: TurnStep[]
  usage: TurnUsage
  text: string
  finishReason: string | null
  /** When and why plan mode ended: the first round that acts. */
  planEnd?: { readonly at: number; readonly why: 'plan_made' | 'plan_turn_limit' }
}

/** The transcript of a turn that has not taken a step. */
export function openTranscript(claim: Claim, agent?: Agent): Transcript {
  const past = claim.history.flat() as Message[]
  const messages: Message[] = [
    ...(agent?.instructions ? [{ role: 'system' as const, content: agent.instructions }] : []),
    ...past,
  ]
  const from = messages.length
  messages.push({ role: 'user', content: claim.turn.input })
  return { messages, from, steps: [], usage: noUsage, text: '', finishReason: null }
}

/** Takes in what a model step gave. */
export function addAnswer(transcript: Transcript, { answer, step }: ModelStepResult): void {
  const { text, reasoning, toolCalls, usage, finishReason } = answer
  transcript.messages.push({
    role: 'assistant',
    content: text,
    ...(reasoning && { reasoning }),
    ...(toolCalls.length > 0 && { toolCalls }),
  })
  transcript.steps.push(step)
  transcript.usage = addUsage(transcript.usage, usage)
  transcript.text = text
  transcript.finishReason = finishReason
}

/** Takes in what a tool step gave. */
export function addToolResult(transcript: Transcript, { message, step }: ToolStepResult): void {
  transcript.messages.push(message)
  transcript.steps.push(step)
}

/** The result of a turn that ends here. */
export function resultOf(
  transcript: Transcript,
  turn: TurnRecord,
  ending: Pick<TurnResult, 'status' | 'error'>,
): TurnResult {
  const { steps, usage, text, finishReason } = transcript
  const routes = new Set(steps.flatMap((step) => step.route ?? []))
  return {
    id: turn.id,
    sessionId: turn.sessionId,
    text,
    steps,
    usage,
    costUsd: sumCosts(steps.map((step) => step.costUsd)),
    finishReason,
    routes: [...routes],
    ...ending,
  }
}
