/**
 * One tool call as a step: approved where it must be, begun, run, committed; or replayed if it was committed earlier.
 * What goes wrong inside a tool is given to the model; what is unknown is never guessed.
 */

import { randomBytes } from 'node:crypto'
import type { Message, ToolCall } from '../../providers/types.ts'
import { hashOf } from '../../queue/accepting.ts'
import type { Hold, TurnStep } from '../../queue/types.ts'
import { changedUnderfoot, interruptionOf } from '../turn/model-step.ts'
import type { Interruption, TurnContext } from '../turn/turn-context.ts'
import type { Tool, ToolContext } from './tool.ts'
import { runTool, type ToolOutcome, toolFailure } from './tool-run.ts'

/** What the journal keeps of a tool step. */
export type ToolStepResult = {
  readonly message: Extract<Message, { role: 'tool' }>
  readonly step: TurnStep
}

/** One call on its way. */
type Call = {
  readonly context: TurnContext
  readonly stepId: string
  readonly call: ToolCall
  /** Absent where the model asked for one that is not there. */
  readonly tool: Tool | undefined
  readonly toolContext: ToolContext
  readonly hash: string
}

/** Runs one tool call as a step. */
export async function runToolStep(
  context: TurnContext,
  stepId: string,
  toolCall: ToolCall,
): Promise<ToolStepResult | Interruption> {
  const replayed = context.claim.done.get(stepId)
  if (replayed !== undefined) return replayed as ToolStepResult
  const call: Call = {
    context,
    stepId,
    call: toolCall,
    tool: context.agent.tools.get(toolCall.name),
    toolContext: toolContextOf(context, stepId, toolCall),
    hash: hashOf([toolCall.name, toolCall.input]),
  }
  const approval = checkApproval(call)
  if (approval && 'kind' in approval) return approval
  return runBegun(call, approval)
}

/** Nothing where the call may go on; else what it waits for, or the refusal that the model is told. */
function checkApproval({
  context,
  stepId,
  call,
  tool,
  toolContext,
  hash,
}: Call): Interruption | ToolOutcome | undefined {
  const parsed = tool?.parse(call.input)
  if (!tool || !parsed?.ok || !tool.needsApproval(parsed.value, toolContext)) return undefined
  const asked = context.claim.approvals.get(stepId)
  if (!asked) {
    const expiresAt = Math.round(
      context.claim.now + (performance.now() - context.claim.claimedAt) + tool.approvalTimeoutMs,
    )
    return {
      kind: 'waiting_approval',
      stepId,
      hold: { state: 'pending', callId: call.id, name: call.name, input: JSON.stringify(call.input), hash },
      holdMs: tool.approvalTimeoutMs,
      event: { type: 'approval.requested', callId: call.id, name: call.name, input: call.input, expiresAt },
    }
  }
  if (asked.hash !== hash) return { kind: 'failed', error: changedUnderfoot(stepId) }
  if (asked.state === 'approved') return undefined
  const why =
    asked.state === 'pending' ? 'nobody approved it in time' : `${asked.by ?? 'somebody'} rejected it`
  return toolFailure(
    'tool_failed',
    `${call.name} was not run: ${why}${asked.reason ? `: ${asked.reason}` : ''}`,
  )
}

async function runBegun(
  call: Call,
  refusal: ToolOutcome | undefined,
): Promise<ToolStepResult | Interruption> {
  const { context, stepId, tool } = call
  const { journal, claim } = context
  const nonce = randomBytes(9).toString('base64url')
  const begin = () => journal.begin(claim, stepStart(call, nonce, refusal === undefined))
  let begun = await begin()
  if (begun.outcome === 'ambiguous') {
    const review = await reconcile(call, begun.nonce)
    if ('kind' in review) return review
    if ((await journal.settle(claim, stepId, review)) === 'fenced') return { kind: 'fenced' }
    begun = await begin()
  }
  switch (begun.outcome) {
    case 'done':
      return begun.result as ToolStepResult
    case 'fenced':
      return { kind: 'fenced' }
    case 'mismatch':
      return { kind: 'failed', error: changedUnderfoot(stepId) }
    case 'ambiguous': // Settled, and yet another worker has begun it meanwhile: it is theirs.
      return { kind: 'fenced' }
    case 'reviewed':
      if (begun.decision.state === 'done') return commit(call, nonce, resultOfReview(begun.decision), 0)
  }
  const started = performance.now()
  const outcome = refusal ?? (await runTool(context, call.call, tool, call.toolContext))
  // What an interrupted tool has done is unknown: nothing is committed, and the journal's rules decide (J5).
  if (context.signal.aborted && !outcome.ok) {
    if (outcome.unstarted) await journal.withdraw(claim, { stepId, nonce })
    return interrupted(call, outcome.unstarted)
  }
  return commit(call, nonce, outcome, Math.round(performance.now() - started))
}

function stepStart({ stepId, call, tool, hash }: Call, nonce: string, willRun: boolean) {
  return {
    stepId,
    nonce,
    kind: 'tool' as const,
    name: call.name,
    effect: willRun ? (tool?.effect ?? ('pure' as const)) : ('pure' as const),
    hash,
    events: [
      { type: 'step.started' as const, stepId, kind: 'tool' as const, name: call.name },
      { type: 'tool.call' as const, stepId, callId: call.id, name: call.name, input: call.input },
    ],
  }
}

/** Asks the tool itself what became of a lost start; a person, where it does not know. */
async function reconcile(
  { stepId, call, tool, toolContext }: Call,
  nonce: string,
): Promise<Hold | Interruption> {
  const hold = { callId: call.id, name: call.name, nonce }
  const found = await tool?.reconcile(toolContext.idempotencyKey, toolContext).catch(() => undefined)
  if (found?.done)
    return { ...hold, state: 'done', by: 'reconcile', result: JSON.stringify(found.result ?? null) }
  if (found) return { ...hold, state: 'not_done', by: 'reconcile' }
  return {
    kind: 'needs_review',
    stepId,
    hold: { ...hold, state: 'pending', input: JSON.stringify(call.input) },
    event: {
      type: 'turn.needs_review',
      callId: call.id,
      reason: `the worker was lost while ${call.name} was running: whether it has taken effect is unknown`,
    },
  }
}

function resultOfReview({ result = 'null' }: Hold): ToolOutcome {
  const output: unknown = JSON.parse(result)
  return { ok: true, output, content: typeof output === 'string' ? output : result }
}

/** A cancelled turn shows that the outcome of an unsafe call is unknown; it never says that nothing happened. */
function interrupted({ context, stepId, call, tool }: Call, unstarted = false): Interruption {
  const interruption = interruptionOf(context)
  if (interruption.kind !== 'cancelled' || tool?.effect !== 'unsafe' || unstarted) return interruption
  return {
    ...interruption,
    step: { id: stepId, kind: 'tool', name: call.name, durationMs: 0, error: 'cancelled_unknown' },
  }
}

async function commit(
  { context, stepId, call }: Call,
  nonce: string,
  outcome: ToolOutcome,
  durationMs: number,
): Promise<ToolStepResult | Interruption> {
  const { journal, claim, telemetry } = context
  const result = toResult(stepId, call, outcome, durationMs)
  const said = outcome.ok ? { output: outcome.output } : { error: outcome.error.message }
  const written = await journal.commit(claim, {
    stepId,
    nonce,
    result,
    events: [
      { type: 'tool.result', stepId, callId: call.id, ...said },
      { type: 'step.completed', stepId },
    ],
  })
  const { name, error } = result.step
  if (error !== undefined) telemetry.log.info({ tool: name, code: error }, 'tool call failed')
  return written === 'fenced' ? { kind: 'fenced' } : result
}

function toolContextOf(
  { claim, signal, telemetry }: TurnContext,
  stepId: string,
  call: ToolCall,
): ToolContext {
  const { id, sessionId, deadlineAt, origin = id } = claim.turn
  return {
    turnId: id,
    sessionId,
    stepId,
    toolCallId: call.id,
    idempotencyKey: `${origin}:${stepId}`, // a retry must not do again what its origin has done
    epoch: claim.epoch,
    signal,
    log: telemetry.log,
    ...(deadlineAt !== undefined && { deadline: deadlineAt }),
  }
}

function toResult(id: string, call: ToolCall, outcome: ToolOutcome, durationMs: number): ToolStepResult {
  return {
    message: {
      role: 'tool',
      toolCallId: call.id,
      name: call.name,
      content: outcome.ok ? outcome.content : `Error: ${outcome.error.message}`,
      ...(!outcome.ok && { isError: true }),
    },
    step: {
      id,
      kind: 'tool',
      name: call.name,
      durationMs,
      ...(!outcome.ok && { error: outcome.error.code }),
    },
  }
}
