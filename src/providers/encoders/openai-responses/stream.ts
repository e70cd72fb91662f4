/**
 * The events of a streamed response.
 *
 * S1. Output indexes follow the order in which items open; text and reasoning close when something else begins,
 *     tool calls when their end is told.
 */

import type { StreamPart, Usage } from '../../types.ts'
import type { AnswerEncoding, EncodingOptions, Stamp, WireError, WireEvent } from '../encoder.ts'
import { createToolTexts, type ToolStep } from '../tool-texts.ts'
import { wireErrorOf } from '../wire-error.ts'
import {
  failureEvents,
  functionCallItem,
  type Item,
  messageItem,
  numbered,
  reasoningItem,
  refusalItem,
  responseOf,
  textPart,
} from './items.ts'

type Finish = Extract<StreamPart, { type: 'finish' }>

/** Text or reasoning that is still growing. */
type Growing = { readonly kind: 'text' | 'reasoning'; readonly at: number; text: string; signature?: string }

/** Begins the events of one response. */
export function startResponseStream(stamp: Stamp, _options?: EncodingOptions): AnswerEncoding {
  const tools = createToolTexts()
  const output: Item[] = []
  const toolAt = new Map<number, number>()
  let items = 0
  let sequence = 0
  let growing: Growing | undefined
  let usage: Usage | null = null

  const event = (name: string, body: object): WireEvent => numbered(name, sequence++, body)
  const idAt = (at: number): string => `${stamp.id}_${at}`
  const added = (at: number, item: object): WireEvent =>
    event('response.output_item.added', { output_index: at, item })
  const done = (at: number, item: Item): WireEvent => {
    output[at] = item
    return event('response.output_item.done', { output_index: at, item })
  }

  const openText = (): readonly WireEvent[] => {
    const at = items++
    growing = { kind: 'text', at, text: '' }
    const { id } = messageItem(idAt(at), '')
    return [
      added(at, { ...messageItem(idAt(at), ''), status: 'in_progress', content: [] }),
      event('response.content_part.added', {
        ...{ item_id: id, output_index: at, content_index: 0 },
        part: textPart(''),
      }),
    ]
  }
  const closeText = ({ at, text }: Growing): readonly WireEvent[] => {
    const item = messageItem(idAt(at), text)
    const place = { item_id: item.id, output_index: at, content_index: 0 }
    return [
      event('response.output_text.done', { ...place, text, logprobs: [] }),
      event('response.content_part.done', { ...place, part: textPart(text) }),
      done(at, item),
    ]
  }
  const openReasoning = (): readonly WireEvent[] => {
    const at = items++
    growing = { kind: 'reasoning', at, text: '' }
    const item = reasoningItem(idAt(at), '')
    return [
      added(at, item),
      event('response.reasoning_summary_part.added', {
        ...{ item_id: item.id, output_index: at, summary_index: 0 },
        part: { type: 'summary_text', text: '' },
      }),
    ]
  }
  const closeReasoning = ({ at, text, signature }: Growing): readonly WireEvent[] => {
    const item = reasoningItem(idAt(at), text, signature)
    const place = { item_id: item.id, output_index: at, summary_index: 0 }
    return [
      event('response.reasoning_summary_text.done', { ...place, text }),
      event('response.reasoning_summary_part.done', { ...place, part: { type: 'summary_text', text } }),
      done(at, item),
    ]
  }
  const close = (): readonly WireEvent[] => {
    const closing = growing
    growing = undefined
    if (closing === undefined) return []
    return closing.kind === 'text' ? closeText(closing) : closeReasoning(closing)
  }
  /** Appends to the open item of that kind, opening it first where another kind or none is open. */
  const grow = (kind: Growing['kind'], delta: string): readonly WireEvent[] => {
    const before =
      growing?.kind === kind ? [] : [...close(), ...(kind === 'text' ? openText() : openReasoning())]
    if (growing === undefined || delta === '') return before
    growing.text += delta
    const { at } = growing
    return kind === 'text'
      ? [
          ...before,
          event('response.output_text.delta', {
            ...{ item_id: `msg_${idAt(at)}`, output_index: at, content_index: 0 },
            ...{ delta, logprobs: [] },
          }),
        ]
      : [
          ...before,
          event('response.reasoning_summary_text.delta', {
            ...{ item_id: `rs_${idAt(at)}`, output_index: at, summary_index: 0 },
            delta,
          }),
        ]
  }
  const tool = (step: ToolStep): readonly WireEvent[] => {
    const before = step.isNew ? close() : []
    const at = toolAt.get(step.index) ?? items++
    toolAt.set(step.index, at)
    const item = functionCallItem(idAt(at), step)
    const place = { item_id: item.id, output_index: at }
    return [
      ...before,
      ...(step.isNew ? [added(at, { ...item, status: 'in_progress', arguments: '' })] : []),
      ...(step.delta === ''
        ? []
        : [event('response.function_call_arguments.delta', { ...place, delta: step.delta })]),
      ...(step.isDone
        ? [
            event('response.function_call_arguments.done', {
              ...place,
              ...{ name: step.name, arguments: step.text },
            }),
            done(at, item),
          ]
        : []),
    ]
  }
  const refuse = (refusal: string): readonly WireEvent[] => {
    const at = items++
    const item = refusalItem(idAt(at), refusal)
    const place = { item_id: item.id, output_index: at, content_index: 0 }
    return [
      added(at, { ...item, status: 'in_progress', content: [] }),
      event('response.content_part.added', { ...place, part: { type: 'refusal', refusal: '' } }),
      event('response.refusal.delta', { ...place, delta: refusal }),
      event('response.refusal.done', { ...place, refusal }),
      event('response.content_part.done', { ...place, part: { type: 'refusal', refusal } }),
      done(at, item),
    ]
  }
  const finish = ({ reason, refusal }: Finish): readonly WireEvent[] => {
    const before = [...close(), ...(refusal === undefined ? [] : refuse(refusal))]
    const response = responseOf(stamp, { output, reason, usage })
    const last = event(`response.${response.status}`, { response })
    return [...before, { ...last, terminal: true }]
  }
  const fail = (error: WireError): readonly WireEvent[] => {
    const events = failureEvents(error, stamp, sequence)
    sequence += events.length
    return events
  }

  const part = (said: StreamPart): readonly WireEvent[] => {
    switch (said.type) {
      case 'start': {
        const response = responseOf(stamp, { output: [], reason: null, usage: null })
        return [event('response.created', { response }), event('response.in_progress', { response })]
      }
      case 'text':
        return grow('text', said.delta)
      case 'reasoning': {
        const events = grow('reasoning', said.delta)
        if (growing !== undefined && said.signature !== undefined) growing.signature = said.signature
        return events
      }
      case 'tool_call_delta':
      case 'tool_call': {
        const step = tools.step(said)
        return step === undefined ? [] : tool(step)
      }
      case 'usage':
        usage = said
        return []
      case 'finish':
        return finish(said)
      case 'error':
        return fail(wireErrorOf(said.error))
    }
  }
  return { part, fail }
}
