/**
 * Output items, as they grow or as they came whole, to parts.
 *
 * I1. What came in deltas is not said again by the `…done` events and the final response that repeat it; what
 *     came without deltas is said by the first event that has it whole.
 * I2. Items of tools that the server runs, and of kinds unknown, say nothing to us.
 */

import { asArray, asObject, asText, type JsonObject } from '../../narrow.ts'
import type { PartSink } from '../../types.ts'
import type { Mapped } from '../protocol.ts'
import type { ToolAssembler } from '../tool-calls.ts'

/** What has been said of the items of one answer. */
export type SaidItems = {
  readonly tools: ToolAssembler
  /** Tool calls by item, in the order in which they began. */
  readonly calls: Map<string, SaidCall>
  /** Keys by id: some events name their item by its index, some by its id alone. */
  readonly keys: Map<string, string>
  /** Items whose text, reasoning or refusal has been said, by `kind:item`. */
  readonly said: Set<string>
  /** The reasoning part (item and index) that was said last. */
  lastReasoning: string | undefined
  /** What has been said, to tell what the final response adds to it. */
  text: string
  refusal: string
  /** Reasoning items whole, as the next request may need them. */
  readonly reasoning: Map<string, JsonObject>
  /** Index of the next call; never used twice. */
  nextIndex: number
}

type SaidCall = {
  readonly id: string | undefined
  readonly index: number
  readonly freeForm: boolean
  sawText: boolean
}

export type DeltaKind = 'text' | 'reasoning' | 'refusal'

export function createSaidItems(tools: ToolAssembler): SaidItems {
  return {
    tools,
    calls: new Map(),
    keys: new Map(),
    said: new Set(),
    lastReasoning: undefined,
    text: '',
    refusal: '',
    reasoning: new Map(),
    nextIndex: 0,
  }
}

/** Another response begins in the same stream: the calls of the one before were answered upstream. */
export function restartItems(items: SaidItems): void {
  for (const known of [items.calls, items.keys, items.said, items.reasoning]) known.clear()
  items.lastReasoning = undefined
  items.text = items.refusal = ''
  items.tools.drop()
}

/** The name of an item among its fellows: by its index, since some servers give new ids in every event. */
export function itemKey({ keys }: SaidItems, event: JsonObject): string {
  const { output_index: index } = event
  const id = asText(event.item_id) ?? asText(asObject(event.item)?.id)
  const key = typeof index === 'number' ? `#${index}` : ((id && keys.get(id)) ?? id ?? '#0')
  if (id !== undefined) keys.set(id, key)
  return key
}

/** A piece of text, reasoning or refusal; `part` tells the parts of one item's reasoning apart. */
export type SaidDelta = {
  readonly kind: DeltaKind
  readonly key: string
  readonly part: string
  readonly delta: string
}

export function sayDelta(items: SaidItems, { kind, key, part, delta }: SaidDelta, emit: PartSink): void {
  if (delta === '') return
  items.said.add(`${kind}:${key}`).add(kind)
  if (kind === 'text') {
    items.text += delta
    emit({ type: 'text', delta })
  } else if (kind === 'refusal') items.refusal += delta
  else {
    const isNext = items.lastReasoning !== undefined && items.lastReasoning !== `${key}/${part}`
    items.lastReasoning = `${key}/${part}`
    emit({ type: 'reasoning', delta: isNext ? `\n\n${delta}` : delta })
  }
}

/** A call has begun; its arguments may be there already, but count only once the item is done. */
export function beginItem(items: SaidItems, key: string, item: JsonObject | undefined): Mapped {
  const isCustom = item?.type === 'custom_tool_call'
  if (item?.type !== 'function_call' && !isCustom) return undefined
  if (items.calls.has(key)) return undefined
  const id = asText(item.call_id)
  items.calls.set(key, { id, index: items.nextIndex++, freeForm: isCustom, sawText: false })
  return addToCall(items, key, { id, name: asText(item.name), text: '' })
}

/** A fragment of the arguments of a call that has begun. */
export function growCall(items: SaidItems, key: string, text: string | undefined): Mapped {
  const call = items.calls.get(key)
  if (call === undefined || text === undefined) return undefined
  call.sawText = true
  return addToCall(items, key, { id: undefined, name: undefined, text })
}

/** An item is there whole. */
export function finishItem(
  items: SaidItems,
  { key, item }: { readonly key: string; readonly item: JsonObject | undefined },
  emit: PartSink,
): Mapped {
  switch (item?.type) {
    case 'message':
      sayMessage(items, key, { item, emit })
      return undefined
    case 'reasoning':
      items.reasoning.set(key, item)
      sayReasoning(items, key, { item, emit })
      return undefined
    case 'function_call':
    case 'custom_tool_call': {
      const begun = beginItem(items, key, item)
      const text = argumentsOf(item.type === 'function_call' ? item.arguments : item.input)
      return begun ?? fillCall(items, key, text)
    }
    default:
      return undefined
  }
}

/** All of a piece is there, where some servers had sent no delta of it. */
export function sayWhole(items: SaidItems, whole: SaidDelta, emit: PartSink): void {
  if (!items.said.has(`${whole.kind}:${whole.key}`)) sayDelta(items, whole, emit)
}

/** All the arguments of a call that has begun are there. */
export function fillCall(items: SaidItems, key: string, text: string | undefined): Mapped {
  return items.calls.get(key)?.sawText ? undefined : growCall(items, key, text)
}

/** The final response repeats all items; only what no event had said is taken from it. */
export function finishOutput(items: SaidItems, output: unknown, emit: PartSink): Mapped {
  const whole = asArray(output)
    .map(asObject)
    .filter((item) => item !== undefined)
  if (items.reasoning.size === 0) {
    const hadReasoning = items.said.has('reasoning')
    for (const [index, item] of whole.entries()) {
      if (item.type !== 'reasoning') continue
      if (hadReasoning) items.reasoning.set(`#${index}`, item)
      else finishItem(items, { key: `#${index}`, item }, emit)
    }
  }
  const messages = whole.filter(({ type }) => type === 'message').flatMap(partsOf)
  sayRest(items, { kind: 'text', whole: messages.map(({ text }) => text).join('') }, emit)
  sayRest(items, { kind: 'refusal', whole: messages.map(({ refusal }) => refusal).join('') }, emit)
  return finishCalls(items, whole.filter(isCall), emit)
}

/** What `whole` has beyond what was said, if that is how it begins. */
function sayRest(
  items: SaidItems,
  { kind, whole }: { readonly kind: 'text' | 'refusal'; readonly whole: string },
  emit: PartSink,
): void {
  if (!whole.startsWith(items[kind])) return
  sayDelta(items, { kind, key: 'rest', part: '', delta: whole.slice(items[kind].length) }, emit)
}

/** Calls are found by their ids; by their order where a server gives new ids at the end. */
function finishCalls(items: SaidItems, whole: readonly JsonObject[], emit: PartSink): Mapped {
  const left = [...items.calls]
  const isNamed = left.every(([, { id }]) => whole.some((item) => asText(item.call_id) === id))
  for (const [index, item] of whole.entries()) {
    const at = isNamed ? left.findIndex(([, { id }]) => id === asText(item.call_id)) : 0
    const [found] = at === -1 ? [] : left.splice(at, 1)
    const mapped = finishItem(items, { key: found?.[0] ?? `rest${index}`, item }, emit)
    if (mapped !== undefined) return mapped
  }
  return undefined
}

function isCall({ type }: JsonObject): boolean {
  return type === 'function_call' || type === 'custom_tool_call'
}

type SaidPart = { readonly text: string; readonly refusal: string }

/** What a message says. Some servers send its content as one string. */
function partsOf({ content }: JsonObject): readonly SaidPart[] {
  if (typeof content === 'string') return [{ text: content, refusal: '' }]
  return asArray(content).map((value) => {
    const part = asObject(value)
    return {
      text: part?.type === 'output_text' ? (asText(part.text) ?? '') : '',
      refusal: part?.type === 'refusal' ? (asText(part.refusal) ?? '') : '',
    }
  })
}

type WholeItem = { readonly item: JsonObject; readonly emit: PartSink }

function sayMessage(items: SaidItems, key: string, { item, emit }: WholeItem): void {
  const isNew = { text: !items.said.has(`text:${key}`), refusal: !items.said.has(`refusal:${key}`) }
  for (const { text, refusal } of partsOf(item)) {
    if (isNew.text) sayDelta(items, { kind: 'text', key, part: '', delta: text }, emit)
    if (isNew.refusal) sayDelta(items, { kind: 'refusal', key, part: '', delta: refusal }, emit)
  }
}

function sayReasoning(items: SaidItems, key: string, { item, emit }: WholeItem): void {
  if (items.said.has(`reasoning:${key}`)) return
  for (const list of ['summary', 'content'] as const) {
    for (const [index, value] of asArray(item[list]).entries()) {
      const delta = asText(asObject(value)?.text) ?? ''
      sayDelta(items, { kind: 'reasoning', key, part: `${list}${index}`, delta }, emit)
    }
  }
}

type CallText = {
  readonly id: string | undefined
  readonly name: string | undefined
  readonly text: string
}

function addToCall({ tools, calls }: SaidItems, key: string, piece: CallText): Mapped {
  const { index, freeForm } = calls.get(key)!
  if (tools.add({ ...piece, index, freeForm, position: 0, count: 1 })) return undefined
  return { type: 'invalid', reason: 'invalid_tool_arguments', message: 'tool arguments exceed their limit' }
}

/** Some servers send the arguments as an object instead of its JSON. */
function argumentsOf(value: unknown): string | undefined {
  if (value === null || value === undefined) return undefined
  return typeof value === 'string' ? value : JSON.stringify(value)
}
