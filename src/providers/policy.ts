/**
 * How an attempt is asked for its answer: as an event stream or whole, in the format asked for or in plain words.
 * Each decision is a value that the attempt's summary, its span and the turn's result show.
 */

import type { Config, RouteConfig } from '../config/config.ts'
import { cellOf, type Shown } from './routing/probes/cells.ts'
import type { ModelRequest, ResponseFormat } from './types.ts'
import type { AttemptReport } from './upstream.ts'

/** What a configuration says of one route. */
export type StreamPolicy = {
  /** Whether turns with tools are streamed. `auto`: while the route is shown to stream tool calls well. */
  readonly toolTurns: boolean | 'auto'
  /** Whether a route that refuses a response format is asked again in plain words. */
  readonly jsonFallback: boolean
}

/** The policy of a route, whose provider is configured. */
export function policyOfRoute(
  { providers }: Pick<Config, 'providers'>,
  { provider, model }: RouteConfig,
): StreamPolicy {
  const { toolTurns, jsonMode } = providers[provider]! // as said
  const own = Object.hasOwn(toolTurns.routes, model) ? toolTurns.routes[model] : undefined
  return { toolTurns: own ?? toolTurns.stream, jsonFallback: jsonMode.fallback }
}

/** What an earlier attempt of the same call has taught about a route. */
export type Lesson = 'unreadable_stream' | 'format_refused'

/**
 * Why an attempt was asked as it was, where that is a decision. `tool_turn`: streams with tool calls are what upstreams
 * break most. `sse_parse`: its stream could not be read before. `json_fallback`: it has refused the response format.
 * By the profile of the route: `tools_shown_safe` (so they are streamed), `tools_shown_broken` and `stream_shown_broken`
 * (so the answer comes whole), `json_shown_refused` (so it is asked in plain words at once).
 */
export type PolicyReason =
  | 'tool_turn'
  | 'sse_parse'
  | 'json_fallback'
  | 'tools_shown_safe'
  | 'tools_shown_broken'
  | 'stream_shown_broken'
  | 'json_shown_refused'

export type Transport = {
  readonly stream: boolean
  readonly request: ModelRequest
  /** Empty where nothing had to be decided. */
  readonly reasons: readonly PolicyReason[]
}

export type TransportOptions = {
  readonly policy: StreamPolicy
  /** Default: none. */
  readonly lessons?: ReadonlySet<Lesson> | undefined
  /** What probes and traffic have shown of the route. Default: nothing. */
  readonly shown?: Shown
}

/** How to ask a route for `request`. */
export function decideTransport(
  request: ModelRequest,
  { policy, lessons, shown = () => undefined }: TransportOptions,
): Transport {
  const { stream, reason } = lessons?.has('unreadable_stream')
    ? UNREADABLE
    : decideStream(request, policy, shown)
  const reasons: PolicyReason[] = reason === undefined ? [] : [reason]
  const inWords = decideFormat(request, { policy, lessons, stream, shown })
  if (inWords === undefined) return { stream, request, reasons }
  reasons.push(inWords)
  return { stream, request: inPlainWords(request), reasons }
}

const UNREADABLE = { stream: false, reason: 'sse_parse' } as const

/** Why the format is to be asked for in plain words; undefined where it is asked for as it stands. */
function decideFormat(
  request: ModelRequest,
  { policy, lessons, stream, shown }: TransportOptions & { readonly stream: boolean; readonly shown: Shown },
): PolicyReason | undefined {
  if (lessons?.has('format_refused')) return 'json_fallback'
  return policy.jsonFallback && isShownToRefuse(request, { stream, shown }) ? 'json_shown_refused' : undefined
}

type StreamDecision = { readonly stream: boolean; readonly reason?: PolicyReason }

/** What the configuration says of tool turns stands, whatever is shown. */
function decideStream(request: ModelRequest, { toolTurns }: StreamPolicy, shown: Shown): StreamDecision {
  const cell = cellOf(request, true)
  const plain = cell.format === 'text' ? shown(cell) : shown({ ...cell, format: 'text' })
  const isBroken = plain === 'broken' || (cell.format !== 'text' && shown(cell) === 'broken')
  if (!cell.tools) return isBroken ? { stream: false, reason: 'stream_shown_broken' } : { stream: true }
  if (toolTurns !== 'auto') return toolTurns ? { stream: true } : { stream: false, reason: 'tool_turn' }
  if (isBroken) return { stream: false, reason: 'tools_shown_broken' }
  return plain === 'ok'
    ? { stream: true, reason: 'tools_shown_safe' }
    : { stream: false, reason: 'tool_turn' }
}

/** Some refuse a format only together with tools, or in a stream: what is known of the other way helps where no more is. */
function isShownToRefuse(
  request: ModelRequest,
  { stream, shown }: { readonly stream: boolean; readonly shown: Shown },
): boolean {
  if ((request.responseFormat?.type ?? 'text') === 'text') return false
  const cell = cellOf(request, stream)
  return (shown(cell) ?? shown({ ...cell, stream: !stream })) === 'refused'
}

/** What a failed attempt teaches for the next one of the same call; undefined where it teaches nothing new. */
export function lessonOf(
  { error, excerpt, streamed, phase }: AttemptReport,
  { request, reasons }: Transport,
  { jsonFallback }: Pick<StreamPolicy, 'jsonFallback'>,
): Lesson | undefined {
  if (error?.reason === 'sse_parse') {
    return streamed && !reasons.includes('sse_parse') ? 'unreadable_stream' : undefined
  }
  const isRefusal = error?.category === 'bad_request' || error?.reason === 'capability_missing'
  const asksFormat = (request.responseFormat?.type ?? 'text') !== 'text'
  if (!isRefusal || !asksFormat || !jsonFallback || phase === 'after_content') return undefined
  if (reasons.includes('json_fallback') || reasons.includes('json_shown_refused')) return undefined
  const said = excerpt === undefined ? (error?.message ?? '') : Buffer.from(excerpt).toString('utf8')
  return FORMAT_REFUSED.test(said) ? 'format_refused' : undefined
}

/** How upstreams name what they refuse (BerriAI/litellm#2275). */
const FORMAT_REFUSED =
  /response[_ ]?format|json[_ ]?(schema|object|mode)|structured[_ ]outputs?|output_config/i

/** The request without its response format, which the model is told in words instead. */
function inPlainWords({ responseFormat, ...request }: ModelRequest): ModelRequest {
  if (responseFormat === undefined || responseFormat.type === 'text') return request
  const content = formatInWords(responseFormat)
  return { ...request, messages: [...request.messages, { role: 'system', content }] }
}

function formatInWords(format: Exclude<ResponseFormat, { type: 'text' }>): string {
  const only = 'Answer with one JSON value and nothing else: no explanation, no code fence.'
  if (format.type === 'json') return only
  return `${only} It must match this JSON Schema:\n${JSON.stringify(format.schema)}`
}
