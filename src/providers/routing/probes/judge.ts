/** What a probe asks, and what its answer, or that of a real call, says of the cell in which it was asked. */

import type { Reason } from '../../../errors.ts'
import type { Answer, FinishReason, ModelRequest, ToolSpec } from '../../types.ts'
import type { AttemptReport } from '../../upstream.ts'
import { type Cell, simplerCells, type Verdict } from './cells.ts'

/** Room for a reasoning model to think first; one token alone makes them fail (BerriAI/litellm#26987). */
export const PROBE_MAX_TOKENS = 512
/** More than the longest probe has. */
export const PROBE_INPUT_TOKENS = 300

/** Its argument is there to be streamed: names and arguments of calls are what upstreams break most. */
const NOOP: ToolSpec = {
  name: 'turnkeeper_noop',
  description: 'Does nothing. It is there to see whether tools can be called.',
  inputSchema: {
    type: 'object',
    properties: { note: { type: 'string' } },
    required: ['note'],
    additionalProperties: false,
  },
}

/** The request of a probe. No tool choice: not every protocol has one, and real calls rarely set it. */
export function cellToRequest({ tools, format }: Cell): ModelRequest {
  const content = tools
    ? `Call ${NOOP.name} with {"note": "probe"}, once and now.${format === 'text' ? '' : ' Any text must be JSON.'}`
    : format === 'text'
      ? 'Reply with OK.'
      : 'Reply with the JSON object {"ok": true} and nothing else.'
  return {
    messages: [{ role: 'user', content }],
    parameters: { maxTokens: PROBE_MAX_TOKENS },
    ...(tools && { tools: [NOOP] }),
    ...(format === 'json' && { responseFormat: { type: 'json' } }),
  }
}

export type Judgement = { readonly verdict: Verdict; readonly code: string }

const OK: Judgement = { verdict: 'ok', code: '' }

/** What only a stream can suffer, once it has begun. */
const STREAM_FAULTS: ReadonlySet<Reason> = new Set([
  'sse_parse',
  'truncated_stream',
  'stream_error',
  'stall',
  'timeout_first_content',
  'invalid_tool_arguments',
])

/** Answers that are not what was asked for, however it was asked. */
const NOT_THE_ANSWER: ReadonlySet<Reason> = new Set([
  'html_payload',
  'binary_payload',
  'non_json',
  'empty_body',
  'invalid_tool_arguments',
])

/** What a probe of `cell` has found. `answer` is what came. */
export function judgeProbe(cell: Cell, { error }: AttemptReport, answer: Answer): Judgement {
  if (error === undefined) return judgeAnswer(cell, answer)
  const { reason, category, code } = error
  if (reason === 'cancelled') return { verdict: 'failed', code: 'timeout' }
  if (category === 'bad_request' || reason === 'capability_missing') return { verdict: 'refused', code }
  // Where the simplest way does not work either, it is the route that is down.
  const isSimplest = simplerCells(cell).length === 0
  const isBroken = NOT_THE_ANSWER.has(reason) || (cell.stream && STREAM_FAULTS.has(reason))
  return { verdict: isBroken && !isSimplest ? 'broken' : 'failed', code }
}

function judgeAnswer({ tools, format }: Cell, { text, reasoning, toolCalls }: Answer): Judgement {
  if (tools && toolCalls.some(({ name, input }) => name === NOOP.name && isObject(input))) return OK
  if (tools && format === 'text') return { verdict: 'failed', code: 'no_tool_call' }
  if (format !== 'text') return isJson(text) ? OK : { verdict: 'failed', code: 'not_json' }
  return text !== '' || reasoning !== null ? OK : { verdict: 'failed', code: 'no_content' }
}

export type Traffic = {
  readonly cell: Cell
  readonly report: AttemptReport
  readonly finishReason: FinishReason | null
  /** The upstream has refused the format, and was asked again in plain words. */
  readonly isFormatRefused: boolean
}

/**
 * What a real call says of its cell; undefined where it says nothing. An answer without a call does not show that calls
 * come well, and a failure counts only where the stream itself was at fault.
 */
export function judgeTraffic(traffic: Traffic): Exclude<Verdict, 'failed'> | undefined {
  const { cell, report, finishReason, isFormatRefused } = traffic
  if (isFormatRefused) return 'refused'
  const { outcome, error, phase } = report
  if (outcome === 'ok') return cell.tools && finishReason !== 'tool_calls' ? undefined : 'ok'
  if (outcome === 'cancelled' || error === undefined || !cell.stream || phase === 'before_headers')
    return undefined
  return STREAM_FAULTS.has(error.reason) ? 'broken' : undefined
}

function isJson(text: string): boolean {
  try {
    return isObject(JSON.parse(text))
  } catch {
    return false
  }
}

function isObject(value: unknown): boolean {
  return typeof value === 'object' && value !== null
}
