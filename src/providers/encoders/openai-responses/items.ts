/** The objects of which responses and their events are made. */

import type { FinishReason, Usage } from '../../types.ts'
import type { Stamp, WireError, WireEvent } from '../encoder.ts'

/** An output item, finished. */
export type Item = Readonly<Record<string, unknown>> & { readonly id: string; readonly type: string }

/** What a response is made of: `reason` null while it is in progress. */
export type ResponseContent = {
  readonly output: readonly Item[]
  readonly reason: FinishReason | null
  readonly usage: Usage | null
  readonly error?: WireError
}

export function messageItem(id: string, text: string): Item {
  return {
    id: `msg_${id}`,
    type: 'message',
    status: 'completed',
    role: 'assistant',
    content: [textPart(text)],
  }
}

export function refusalItem(id: string, refusal: string): Item {
  return { ...messageItem(id, ''), content: [{ type: 'refusal', refusal }] }
}

export function reasoningItem(id: string, text: string, signature?: string): Item {
  return {
    id: `rs_${id}`,
    type: 'reasoning',
    summary: text === '' ? [] : [{ type: 'summary_text', text }],
    ...(signature !== undefined && { encrypted_content: signature }),
  }
}

type Call = { readonly id: string; readonly name: string; readonly text: string }

export function functionCallItem(id: string, call: Call): Item {
  return {
    id: `fc_${id}`,
    type: 'function_call',
    status: 'completed',
    call_id: call.id,
    name: call.name,
    arguments: call.text,
  }
}

export function textPart(text: string): object {
  return { type: 'output_text', text, annotations: [], logprobs: [] }
}

const INCOMPLETE: Partial<Record<FinishReason, string>> = {
  length: 'max_output_tokens',
  content_filter: 'content_filter',
}

/** The response object, as it stands in a JSON answer and in the events that carry it. */
export function responseOf({ id, model, createdMs }: Stamp, content: ResponseContent) {
  const { output, reason, usage, error } = content
  const incomplete = reason === null ? undefined : INCOMPLETE[reason]
  const ended = incomplete === undefined ? 'completed' : 'incomplete'
  const createdAt = Math.floor(createdMs / 1000)
  return {
    id: `resp_${id}`,
    object: 'response',
    created_at: createdAt,
    status: error !== undefined ? 'failed' : reason === null ? 'in_progress' : ended,
    completed_at: reason !== null && incomplete === undefined ? createdAt : null,
    background: false,
    error: error === undefined ? null : { code: error.type, message: error.message },
    incomplete_details: incomplete === undefined ? null : { reason: incomplete },
    instructions: null,
    max_output_tokens: null,
    metadata: {},
    model,
    output,
    parallel_tool_calls: true,
    previous_response_id: null,
    service_tier: 'default',
    store: false,
    temperature: null,
    text: { format: { type: 'text' } },
    tool_choice: 'auto',
    tools: [],
    top_p: null,
    truncation: 'disabled',
    usage: usage === null ? null : toUsage(usage),
  }
}

function toUsage(usage: Usage): object {
  const { inputTokens, outputTokens, totalTokens, cachedInputTokens, reasoningTokens } = usage
  return {
    input_tokens: inputTokens ?? 0,
    input_tokens_details: { cached_tokens: cachedInputTokens ?? 0, cache_write_tokens: 0 },
    output_tokens: outputTokens ?? 0,
    output_tokens_details: { reasoning_tokens: reasoningTokens ?? 0 },
    total_tokens: totalTokens ?? (inputTokens ?? 0) + (outputTokens ?? 0),
  }
}

/** The body of an error answer. */
export function toError(error: WireError): object {
  const { message, type, param } = error
  return { error: { message, type, param: param ?? null, code: error.type } }
}

/** `error`, then the response as failed: OpenAI sends both. */
export function failureEvents(error: WireError, stamp: Stamp, eventsBefore: number): readonly WireEvent[] {
  const { message, param } = error
  const response = responseOf(stamp, { output: [], reason: null, usage: null, error })
  return [
    numbered('error', eventsBefore, { code: error.type, message, param: param ?? null }),
    numbered('response.failed', eventsBefore + 1, { response }),
  ]
}

export function numbered(name: string, sequenceNumber: number, body: object): WireEvent {
  return { name, data: { type: name, sequence_number: sequenceNumber, ...body } }
}
