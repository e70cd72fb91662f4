import { TurnkeeperError } from '../../errors.ts'
import type { ToolCall } from '../../providers/types.ts'
import { ATTR } from '../../telemetry/semconv.ts'
import type { Attributes } from '../../telemetry/telemetry.ts'
import { knownAs } from '../turn/run-spans.ts'
import type { TurnContext } from '../turn/turn-context.ts'
import type { Tool, ToolContext } from './tool.ts'

/** A tool's output, also as text for the model; or what went wrong, written for the model to read. */
export type ToolOutcome =
  | { readonly ok: true; readonly output: unknown; readonly content: string }
  /** `unstarted`: the tool was never run, for certain. */
  | { readonly ok: false; readonly error: TurnkeeperError; readonly unstarted?: true }

/** The outcome of a call that went wrong. */
export function toolFailure(
  reason: 'tool_failed' | 'tool_timeout' | 'tool_output_too_large',
  message: string,
): Extract<ToolOutcome, { ok: false }> {
  return { ok: false, error: new TurnkeeperError(reason, message) }
}

/** Runs a tool inside its span: checks the input, keeps its time and size limits. Never rejects. */
export async function runTool(
  { telemetry, agent, claim, checkLease }: TurnContext,
  call: ToolCall,
  tool: Tool | undefined,
  toolContext: ToolContext,
): Promise<ToolOutcome> {
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
        ? await execute(tool, call, { ...toolContext, checkLease })
        : noSuchTool(call.name, [...agent.tools.keys()])
      if (span.capturesContent) span.set(contentOf(call, outcome))
      if (!outcome.ok) span.fail(outcome.error.code)
      telemetry.record(
        'gen_ai_execute_tool_duration_seconds',
        { gen_ai_tool_name: knownName, outcome: outcome.ok ? 'ok' : 'failed' },
        (performance.now() - started) / 1000,
      )
      return outcome
    },
    { knownAs: knownAs(claim.turn, claim, toolContext.stepId) },
  )
}

/** For whoever wants it in spans. */
function contentOf({ input }: ToolCall, outcome: ToolOutcome): Attributes {
  return {
    [ATTR.toolCallArguments]: typeof input === 'string' ? input : JSON.stringify(input),
    [ATTR.toolCallResult]: outcome.ok ? outcome.content : outcome.error.message,
  }
}

async function execute(
  tool: Tool,
  call: ToolCall,
  { checkLease, ...toolContext }: ToolContext & Pick<TurnContext, 'checkLease'>,
): Promise<ToolOutcome> {
  const parsed = tool.parse(call.input)
  if (!parsed.ok) return toolFailure('tool_failed', `the input does not fit ${call.name}: ${parsed.problem}`)
  const timeout = AbortSignal.timeout(tool.timeoutMs)
  const signal = AbortSignal.any([toolContext.signal, timeout])
  let started = false
  const onStart = (): void => {
    checkLease()
    signal.throwIfAborted() // The turn may have been lost while the call stood in line.
    started = true
  }
  try {
    const work = tool.execute(parsed.value, { ...toolContext, signal }, onStart)
    const ended = AbortSignal.any([timeout, giveUpSignal(tool, toolContext.signal, () => started)])
    return toOutcome(tool, await raceAbort(work, ended))
  } catch (cause) {
    if (!started && signal.aborted)
      return { ...toolFailure('tool_failed', 'it was not run'), unstarted: true }
    if (timeout.aborted)
      return toolFailure('tool_timeout', `${call.name} did not finish within ${tool.timeoutMs} ms`)
    const why = cause instanceof Error ? cause.message : String(cause)
    return toolFailure('tool_failed', `${call.name} failed: ${why}`)
  }
}

function toOutcome({ spec, maxOutputBytes }: Tool, output: unknown): ToolOutcome {
  const content = typeof output === 'string' ? output : (JSON.stringify(output) ?? 'null')
  const sizeBytes = Buffer.byteLength(content)
  if (sizeBytes <= maxOutputBytes) return { ok: true, output, content }
  return toolFailure(
    'tool_output_too_large',
    `${spec.name} returned ${sizeBytes} bytes; at most ${maxOutputBytes} are allowed: ask for less`,
  )
}

/**
 * When a running tool is no longer waited for. An unsafe one of a turn that was lost to another worker is: nobody
 * else will run it, and its outcome ends the review that the other one may ask for.
 */
function giveUpSignal({ effect }: Tool, signal: AbortSignal, isStarted: () => boolean): AbortSignal {
  if (effect !== 'unsafe') return signal
  const giveUp = new AbortController()
  const onAbort = (): void => {
    const wasLost = signal.reason instanceof TurnkeeperError && signal.reason.reason === 'fenced'
    if (!wasLost || !isStarted()) giveUp.abort(signal.reason)
  }
  if (signal.aborted) onAbort()
  else signal.addEventListener('abort', onAbort, { once: true })
  return giveUp.signal
}

/** The tool's own promise, or a rejection at the abort: a tool that ignores its signal holds nobody up. */
async function raceAbort<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  if (signal.aborted) {
    work.catch(() => {}) // It refuses by itself; nobody else listens.
    throw signal.reason
  }
  const aborted = Promise.withResolvers<never>()
  const onAbort = (): void => aborted.reject(signal.reason)
  signal.addEventListener('abort', onAbort, { once: true })
  try {
    return await Promise.race([work, aborted.promise])
  } finally {
    signal.removeEventListener('abort', onAbort)
  }
}

function noSuchTool(name: string, known: readonly string[]): ToolOutcome {
  return toolFailure(
    'tool_failed',
    `there is no tool named ${name}; the tools are: ${known.join(', ') || 'none'}`,
  )
}
