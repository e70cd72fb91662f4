import { randomBytes } from 'node:crypto'
import { TurnkeeperError } from '../errors.ts'
import type { Message, ToolCall } from '../providers/types.ts'
import { hashOf } from '../queue/journal.ts'
import type { TurnStep } from '../queue/types.ts'
import { changedUnderfoot, interruptionOf } from './model-step.ts'
import type { Tool } from './tool.ts'
import type { Interruption, TurnContext } from './turn-context.ts'

/** What the journal keeps of a tool step. */
export type ToolStepResult = {
  readonly message: Extract<Message, { role: 'tool' }>
  readonly step: TurnStep
}

/** A tool's output as text for the model, or what went wrong, also for the model. */
type Outcome =
  | { readonly ok: true; readonly output: unknown; readonly content: string }
  | { readonly ok: false; readonly error: TurnkeeperError }

/** Runs one tool call as a step, or replays it if it was committed earlier. Its errors are given to the model. */
export async function runToolStep(
  context: TurnContext,
  stepId: string,
  call: ToolCall,
): Promise<ToolStepResult | Interruption> {
  const { claim, journal, agent } = context
  const replayed = claim.done.get(stepId)
  if (replayed !== undefined) return replayed as ToolStepResult

  const tool = agent.tools.get(call.name)
  const nonce = randomBytes(9).toString('base64url')
  const begun = await journal.begin(claim, {
    stepId,
    nonce,
    kind: 'tool',
    name: call.name,
    effect: tool?.effect ?? 'pure',
    hash: hashOf([call.name, call.input]),
    events: [
      { type: 'step.started', stepId, kind: 'tool', name: call.name },
      { type: 'tool.call', stepId, callId: call.id, name: call.name, input: call.input },
    ],
  })
  if (begun.outcome === 'done') return begun.result as ToolStepResult
  if (begun.outcome === 'fenced') return { kind: 'fenced' }
  if (begun.outcome === 'mismatch') return { kind: 'failed', error: changedUnderfoot(stepId) }
  if (begun.outcome === 'ambiguous') {
    return {
      kind: 'needs_review',
      callId: call.id,
      reason: `the worker was lost while ${call.name} was running`,
    }
  }

  const started = performance.now()
  const outcome = await observeTool(context, stepId, call, tool)
  // What an interrupted tool has done is unknown: nothing is committed, and the journal's rules decide (J5).
  if (context.signal.aborted && !outcome.ok) return interruptionOf(context)

  const result = toResult(stepId, call, outcome, Math.round(performance.now() - started))
  const { error } = result.step
  const written = await journal.commit(claim, {
    stepId,
    nonce,
    result,
    events: [
      {
        type: 'tool.result',
        stepId,
        callId: call.id,
        ...(outcome.ok ? { output: outcome.output } : { error: outcome.error.message }),
      },
      { type: 'step.completed', stepId },
    ],
  })
  if (error !== undefined) context.telemetry.log.info({ tool: call.name, code: error }, 'tool call failed')
  return written === 'fenced' ? { kind: 'fenced' } : result
}

async function observeTool(
  context: TurnContext,
  stepId: string,
  call: ToolCall,
  tool: Tool | undefined,
): Promise<Outcome> {
  const { telemetry, agent } = context
  const knownName = tool ? call.name : '_OTHER'
  const started = performance.now()
  return telemetry.observe(
    'execute_tool',
    {
      'gen_ai.operation.name': 'execute_tool',
      'gen_ai.tool.name': knownName,
      'gen_ai.tool.call.id': call.id,
    },
    async (span) => {
      const outcome = tool
        ? await execute(context, stepId, call, tool)
        : noSuchTool(call.name, [...agent.tools.keys()])
      if (!outcome.ok) span.fail(outcome.error.code)
      telemetry.record(
        'gen_ai_execute_tool_duration_seconds',
        { gen_ai_tool_name: knownName, outcome: outcome.ok ? 'ok' : 'failed' },
        (performance.now() - started) / 1000,
      )
      return outcome
    },
  )
}

async function execute(context: TurnContext, stepId: string, call: ToolCall, tool: Tool): Promise<Outcome> {
  const { claim, telemetry } = context
  const parsed = tool.parse(call.input)
  if (!parsed.ok) return failed('tool_failed', `the input does not fit ${call.name}: ${parsed.problem}`)

  const timeout = AbortSignal.timeout(tool.timeoutMs)
  const signal = AbortSignal.any([context.signal, timeout])
  const { deadlineAt } = claim.turn
  try {
    const output = await raceAbort(
      tool.execute(parsed.value, {
        turnId: claim.turn.id,
        sessionId: claim.turn.sessionId,
        stepId,
        toolCallId: call.id,
        idempotencyKey: `${claim.turn.id}:${stepId}`,
        epoch: claim.epoch,
        signal,
        log: telemetry.log,
        ...(deadlineAt !== undefined && { deadline: deadlineAt }),
      }),
      signal,
    )
    const content = typeof output === 'string' ? output : (JSON.stringify(output) ?? 'null')
    const sizeBytes = Buffer.byteLength(content)
    if (sizeBytes > tool.maxOutputBytes) {
      return failed(
        'tool_output_too_large',
        `${call.name} returned ${sizeBytes} bytes; at most ${tool.maxOutputBytes} are allowed: ask for less`,
      )
    }
    return { ok: true, output, content }
  } catch (cause) {
    if (timeout.aborted)
      return failed('tool_timeout', `${call.name} did not finish within ${tool.timeoutMs} ms`)
    return failed(
      'tool_failed',
      `${call.name} failed: ${cause instanceof Error ? cause.message : String(cause)}`,
    )
  }
}

/** The tool's own promise, or a rejection at the abort: a tool that ignores its signal holds nobody up. */
async function raceAbort<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  signal.throwIfAborted()
  let onAbort: (() => void) | undefined
  const aborted = new Promise<never>((_resolve, reject) => {
    onAbort = () => reject(signal.reason)
    signal.addEventListener('abort', onAbort, { once: true })
  })
  try {
    return await Promise.race([work, aborted])
  } finally {
    if (onAbort) signal.removeEventListener('abort', onAbort)
  }
}

function noSuchTool(name: string, known: readonly string[]): Outcome {
  return failed('tool_failed', `there is no tool named ${name}; the tools are: ${known.join(', ') || 'none'}`)
}

function failed(reason: 'tool_failed' | 'tool_timeout' | 'tool_output_too_large', message: string): Outcome {
  return { ok: false, error: new TurnkeeperError(reason, message) }
}

function toResult(id: string, call: ToolCall, outcome: Outcome, durationMs: number): ToolStepResult {
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
