/**
 * One run of a scenario on an alias: its calls go through the provider runtime as those of a turn do.
 *
 *   asking ──answer──▶ judged: failed                      (a scenario without a tool: judged: ok)
 *             └──calls of the tool──▶ answering ──answer──▶ judged: ok | failed
 *   from everywhere: cancelled (the caller), failed (the call failed, or the time is over)
 *
 * N1. What counts are facts of the wire: how the answer finished, calls with input that fits the schema, text that is
 *     not empty. Never which words they are.
 * N2. What is told of a run holds no prompt and no answer.
 * N3. A run that the caller cancels is no failure.
 */

import type { TurnkeeperError } from '../../errors.ts'
import { createCollector } from '../../providers/collect.ts'
import type { ProviderRuntime } from '../../providers/runtime.ts'
import type { Answer, FinishReason, Message, ModelRequest, ToolCall } from '../../providers/types.ts'
import type { ScenarioName } from './names.ts'
import type { CanaryTool, Scenario } from './scenarios.ts'

export type CanaryRun = {
  readonly scenario: ScenarioName
  /** Alias or `provider/model`. */
  readonly model: string
  /** That answered last; null where none was asked. */
  readonly route: string | null
  readonly result: 'ok' | 'failed' | 'cancelled'
  /** Of an error (`server/html_payload`), or what the answer lacked (`no_tool_call`). */
  readonly code?: string
  readonly durationMs: number
  /** US dollars; null where no price is known. */
  readonly costUsd: number | null
}

export type RunScenarioOptions = {
  readonly signal?: AbortSignal
  /** For all calls of the run; default 60,000. */
  readonly limitMs?: number
  /** Monotonic milliseconds. Default `performance.now`. */
  readonly clock?: () => number
}

const LIMIT_MS = 60_000
/** For each answer: models that reason need room for it. */
const MAX_TOKENS = 1024

/** Runs it once. Never rejects for what an upstream did. */
export async function runScenario(
  models: Pick<ProviderRuntime, 'run'>,
  { scenario, model }: { readonly scenario: Scenario; readonly model: string },
  { signal, limitMs = LIMIT_MS, clock = () => performance.now() }: RunScenarioOptions = {},
): Promise<CanaryRun> {
  const startedAt = clock()
  const elapsedMs = (): number => clock() - startedAt
  let route: string | null = null
  let costUsd: number | null = null
  const ask: Ask = async (request) => {
    const collector = createCollector('')
    const outcome = await models.run(
      { model, parameters: { maxTokens: MAX_TOKENS }, ...request },
      collector.add,
      { ...(signal && { signal }), deadlineMs: Math.max(1, limitMs - elapsedMs()), afterCommit: 'restart' },
    )
    route = outcome.route ?? route
    if (outcome.costUsd !== null) costUsd = (costUsd ?? 0) + outcome.costUsd
    if (outcome.outcome === 'cancelled') return { type: 'cancelled' }
    if (outcome.error !== undefined) return { type: 'failed', code: codeOf(outcome.error) }
    return { type: 'answered', answer: collector.answer() }
  }
  const { type, ...why } = await course(scenario, ask)
  return {
    ...{ scenario: scenario.name, model, route, result: type, ...why },
    ...{ durationMs: Math.round(elapsedMs()), costUsd },
  }
}

type Ending = { readonly type: 'ok' | 'cancelled' } | { readonly type: 'failed'; readonly code: string }
type Reply = { readonly type: 'answered'; readonly answer: Answer } | Exclude<Ending, { type: 'ok' }>
type Ask = (request: ModelRequest) => Promise<Reply>

/** That nothing more was tried tells less than what was tried. */
function codeOf({ code, reason, attempts }: TurnkeeperError): string {
  return (reason === 'retry_budget' && attempts.find((attempt) => attempt.code)?.code) || code
}

async function course({ prompt, tool }: Scenario, ask: Ask): Promise<Ending> {
  const question: Message = { role: 'user', content: prompt }
  if (tool === undefined) return finalEnding(await ask({ messages: [question] }))
  const tools = [tool.spec]
  const called = await ask({ messages: [question], tools })
  if (called.type !== 'answered') return called
  const { answer } = called
  const problem = callProblem(answer, tool)
  if (problem !== undefined) return { type: 'failed', code: problem }
  const messages = [question, toCallMessage(answer), ...answer.toolCalls.map((call) => toResult(call, tool))]
  // Another call would prove nothing more, so it is not offered.
  return finalEnding(await ask({ messages, tools, toolChoice: 'none' }))
}

function callProblem({ toolCalls, finishReason }: Answer, { spec, input }: CanaryTool): string | undefined {
  if (finishReason === 'length') return finishCode(finishReason)
  if (toolCalls.length === 0) return 'no_tool_call'
  if (toolCalls.some(({ name }) => name !== spec.name)) return 'unknown_tool'
  if (!toolCalls.every((call) => input.safeParse(call.input).success)) return 'invalid_arguments'
  return finishReason === 'tool_calls' ? undefined : finishCode(finishReason)
}

function finalEnding(reply: Reply): Ending {
  if (reply.type !== 'answered') return reply
  const { text, finishReason } = reply.answer
  if (finishReason !== 'stop') return { type: 'failed', code: finishCode(finishReason) }
  return text.trim() === '' ? { type: 'failed', code: 'no_text' } : { type: 'ok' }
}

const finishCode = (reason: FinishReason | null): string => `finish_${reason ?? 'missing'}`

function toCallMessage({ text, reasoning, toolCalls }: Answer): Message {
  return { role: 'assistant', content: text, toolCalls, ...(reasoning && { reasoning }) }
}

function toResult({ id, name }: ToolCall, { result }: CanaryTool): Message {
  return { role: 'tool', toolCallId: id, name, content: result() }
}
