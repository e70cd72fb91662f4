/** From what the simulated model said to the neutral forms that the encoders take. */

import type { Stamp, WireError, WireEvent } from '../../encoders/encoder.ts'
import { frameEvent, STREAM_CONTENT_TYPES } from '../../encoders/frames.ts'
import type { Answer, Reasoning, StreamPart, Usage } from '../../types.ts'
import { digest } from '../random.ts'
import type { Chunk, SimAnswer, SimProtocol, SimRequest, SimUsage } from '../types.ts'
import { argumentDeltas, textDeltas } from './deltas.ts'

/** The answer as an encoder writes it whole. */
export function toAnswer(said: SimAnswer, { model, signedReasoning }: SimRequest): Answer {
  return {
    text: said.text,
    reasoning: toReasoning(said, signedReasoning),
    toolCalls: said.toolCalls,
    usage: toUsage(said.usage),
    finishReason: said.finishReason,
    rawFinishReason: null,
    model,
    requestId: null,
    route: '',
  }
}

/** The same answer piece by piece, as a model would say it. */
function toParts(said: SimAnswer, { model, signedReasoning }: SimRequest): readonly StreamPart[] {
  const reasoning = toReasoning(said, signedReasoning)
  return [
    { type: 'start', requestId: null, model, route: '' },
    ...textDeltas(reasoning?.text ?? '').map((delta): StreamPart => ({ type: 'reasoning', delta })),
    ...(reasoning?.signature === undefined
      ? []
      : [{ type: 'reasoning' as const, delta: '', signature: reasoning.signature }]),
    ...textDeltas(said.text).map((delta): StreamPart => ({ type: 'text', delta })),
    ...said.toolCalls.flatMap(({ id, name, input }, index): StreamPart[] => [
      { type: 'tool_call_delta', index, id, name, delta: '' },
      ...argumentDeltas(JSON.stringify(input)).map((delta) => ({
        type: 'tool_call_delta' as const,
        index,
        delta,
      })),
      { type: 'tool_call', index, id, name, input },
    ]),
    { type: 'usage', ...toUsage(said.usage) },
    { type: 'finish', reason: said.finishReason, rawReason: null },
  ]
}

/** The chunks of a streamed answer, one event each. */
export function toChunks(
  said: SimAnswer,
  { encoder }: SimProtocol,
  { stamp, request }: { stamp: Stamp; request: SimRequest },
): readonly Chunk[] {
  const { includeUsage } = request
  const encoding = encoder.stream(stamp, { includeUsage, inputTokens: said.usage.inputTokens })
  return toParts(said, request)
    .flatMap((part) => encoding.part(part))
    .map((event) => toChunk(event, encoder.framing))
}

/** The chunks of an error after `eventsBefore` events of a stream. */
export function errorChunks(
  error: WireError,
  { encoder }: SimProtocol,
  { stamp, eventsBefore }: { stamp: Stamp; eventsBefore: number },
): readonly Chunk[] {
  return encoder.errorEvents(error, stamp, eventsBefore).map((event) => toChunk(event, encoder.framing))
}

/** How streams of `protocol` are labelled. */
export function streamContentType({ encoder }: SimProtocol): string {
  return STREAM_CONTENT_TYPES[encoder.framing]
}

function toChunk(event: WireEvent, framing: 'sse' | 'ndjson'): Chunk {
  const bytes = Buffer.from(frameEvent(event, framing))
  return event.terminal === true ? { bytes, terminal: true } : { bytes }
}

function toReasoning({ reasoning }: SimAnswer, isSigned: boolean): Reasoning | null {
  if (reasoning === undefined) return null
  return isSigned
    ? { text: reasoning, signature: `sim-${digest(reasoning).slice(0, 24)}` }
    : { text: reasoning }
}

function toUsage({ inputTokens, outputTokens, reasoningTokens }: SimUsage): Usage {
  return {
    inputTokens,
    outputTokens,
    totalTokens: inputTokens + outputTokens,
    cachedInputTokens: 0,
    reasoningTokens,
  }
}
