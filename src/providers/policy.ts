/**
 * How an attempt is asked for its answer: as an event stream or whole, in the format asked for or in plain words.
 * Each decision is a value that the attempt's summary, its span and the turn's result show.
 */

import type { ModelRequest, ResponseFormat } from './types.ts'
import type { AttemptReport } from './upstream.ts'

/** What a configuration says of one route. */
export type StreamPolicy = {
  /** Whether turns with tools are streamed. `auto`: once the route has been shown to stream tool calls well. */
  readonly toolTurns: boolean | 'auto'
  /** Whether a route that refuses a response format is asked again in plain words. */
  readonly jsonFallback: boolean
}

/** What an earlier attempt of the same call has taught about a route. */
export type Lesson = 'unreadable_stream' | 'format_refused'

/**
 * Why an attempt was not asked in the usual way. `tool_turn`: streams with tool calls are what upstreams break most.
 * `sse_parse`: its stream could not be read before. `json_fallback`: it has refused the response format.
 */
export type PolicyReason = 'tool_turn' | 'sse_parse' | 'json_fallback'

export type Transport = {
  readonly stream: boolean
  readonly request: ModelRequest
  /** Empty where nothing is unusual. */
  readonly reasons: readonly PolicyReason[]
}

export type TransportOptions = {
  readonly policy: StreamPolicy
  readonly lessons: ReadonlySet<Lesson>
  /** A probe has shown that the route streams tool calls well. */
  readonly isShownSafe?: boolean
}

/** How to ask a route for `request`. */
export function decideTransport(
  request: ModelRequest,
  { policy, lessons, isShownSafe = false }: TransportOptions,
): Transport {
  const streamsTools = policy.toolTurns === 'auto' ? isShownSafe : policy.toolTurns
  const isToolTurn = (request.tools?.length ?? 0) > 0 && !streamsTools
  const isUnreadable = lessons.has('unreadable_stream')
  const isPlain = lessons.has('format_refused')
  return {
    stream: !isToolTurn && !isUnreadable,
    request: isPlain ? inPlainWords(request) : request,
    reasons: [
      ...(isUnreadable ? (['sse_parse'] as const) : isToolTurn ? (['tool_turn'] as const) : []),
      ...(isPlain ? (['json_fallback'] as const) : []),
    ],
  }
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
  if (reasons.includes('json_fallback')) return undefined
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
