/**
 * One turn, from the claim to its ending: model → tools → model … until the model asks for no more tools.
 *
 * T1. Step ids depend on the course of the turn alone, so a replay after a crash meets the same steps.
 * T2. A step that was committed is replayed, never run again.
 * T3. Only a completed turn gives its messages to the session.
 */

import { TurnkeeperError } from '../errors.ts'
import type { TurnEnding } from '../queue/journal.ts'
import type { TurnRecord } from '../queue/types.ts'
import { runModelStep } from './model-step.ts'
import { runToolStep } from './tool-step.ts'
import { addAnswer, addToolResult, openTranscript, resultOf, type Transcript } from './transcript.ts'
import type { Interruption, TurnContext } from './turn-context.ts'

/** How a turn left the loop; after `fenced` there is nothing to write. */
export type LoopEnding = TurnEnding | { readonly state: 'fenced' }

/** Runs a claimed turn as far as this worker can. Rejects only when Redis is gone. */
export async function runTurn(context: TurnContext): Promise<LoopEnding> {
  const { agent, claim, leaving } = context
  const transcript = openTranscript(claim, agent)
  const interrupted = (why: Interruption): LoopEnding => endingOf(why, claim.turn, transcript)

  for (let round = 1; round <= agent.maxSteps; round++) {
    if (leaving.aborted) return interrupted({ kind: 'handed_back' })
    const model = await runModelStep(context, `m${round}`, transcript.messages)
    if ('kind' in model) return interrupted(model)
    addAnswer(transcript, model)
    if (model.answer.toolCalls.length === 0) return completed(claim.turn, transcript)

    if (leaving.aborted) return interrupted({ kind: 'handed_back' })
    const tools = await Promise.all(
      model.answer.toolCalls.map((call, i) => runToolStep(context, `m${round}.${i + 1}`, call)),
    )
    for (const tool of tools) {
      if ('kind' in tool) return interrupted(tool)
      addToolResult(transcript, tool)
    }
  }
  const problem = `agent ${agent.name} used its ${agent.maxSteps} steps without an answer`
  return interrupted({ kind: 'failed', error: new TurnkeeperError('max_steps', problem) })
}

function completed(turn: TurnRecord, transcript: Transcript): LoopEnding {
  return {
    state: 'completed',
    result: resultOf(transcript, turn, { status: 'completed' }),
    messages: transcript.messages.slice(transcript.from),
    events: [{ type: 'turn.completed', text: transcript.text }],
  }
}

/** What an interruption makes of a turn. */
export function endingOf(why: Interruption, turn: TurnRecord, transcript: Transcript): LoopEnding {
  switch (why.kind) {
    case 'fenced':
      return { state: 'fenced' }
    case 'handed_back':
      return { state: 'queued', events: [] }
    case 'failed': {
      const error = why.error.toJSON()
      return {
        state: 'failed',
        result: resultOf(transcript, turn, { status: 'failed', error }),
        events: [{ type: 'turn.failed', error }],
      }
    }
    case 'needs_review':
      return {
        state: 'needs_review',
        result: resultOf(transcript, turn, { status: 'needs_review' }),
        events: [{ type: 'turn.needs_review', callId: why.callId, reason: why.reason }],
      }
  }
}
