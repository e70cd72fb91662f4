/**
 * Puts tool calls together from their pieces, however an upstream cut and numbered them.
 *
 * T1. Pieces of two calls are never merged: a new id with a name, or a name after complete arguments, starts a
 *     new call even under a used index.
 * T2. A piece without index, id or name belongs to the call of its position, else to the last one.
 * T3. No call with unreadable arguments comes out, and none whose arguments the token limit may have cut before
 *     their first character.
 */

import { parseJson } from '../narrow.ts'
import type { PartSink } from '../types.ts'

/** One piece of a call. Fields that the upstream left out or left empty are undefined. */
export type ToolPiece = {
  readonly index: number | undefined
  readonly id: string | undefined
  readonly name: string | undefined
  /** A fragment of the arguments, or all of them. */
  readonly text: string
  /** Where it stood in its list, and how long that was. */
  readonly position: number
  readonly count: number
  /** The tool takes free text, not JSON. */
  readonly freeForm: boolean
}

export type ToolAssembler = {
  readonly started: boolean
  /** False when the arguments outgrew the limit. */
  add(piece: ToolPiece): boolean
  /** Forgets the calls so far: they were answered elsewhere. Later ones get indexes of their own. */
  drop(): void
  /** Emits every call, or names the first one that cannot be read; `cutOff` leaves those out instead. */
  flush(cutOff: boolean): UnreadableCall | undefined
}

export type UnreadableCall = {
  readonly unreadable: string
  /** It is the last call, and its arguments stop short: the tokens ran out, whatever the upstream says. */
  readonly isCut: boolean
}

export type ToolAssemblerOptions = {
  readonly maxBytes: number
  readonly newId: () => string
}

type Call = {
  readonly upstreamIndex: number | undefined
  readonly upstreamId: string | undefined
  /** The upstream's id; ours where it gave none, or gave one twice. */
  readonly id: string
  readonly freeForm: boolean
  name: string
  text: string
  isDropped: boolean
}

/** An assembler that emits `tool_call_delta` at once and `tool_call` when flushed. */
export function createToolAssembler(emit: PartSink, options: ToolAssemblerOptions): ToolAssembler {
  return new Assembler(emit, options)
}

/** A class, since every answer has one, and most call no tool: it costs its fields alone. */
class Assembler implements ToolAssembler {
  readonly #emit: PartSink
  readonly #options: ToolAssemblerOptions
  readonly #calls: Call[] = []

  constructor(emit: PartSink, options: ToolAssemblerOptions) {
    this.#emit = emit
    this.#options = options
  }

  get started(): boolean {
    return this.#calls.some(({ isDropped }) => !isDropped)
  }

  add(piece: ToolPiece): boolean {
    const found = findCall(this.#calls, piece)
    const index = found === -1 ? this.#start(piece) : found
    const call = this.#calls[index]!
    const named = piece.name !== undefined && piece.name !== call.name && call.text === ''
    if (named) call.name = joinName(call.name, piece.name!)
    call.text += piece.text
    this.#emit({
      type: 'tool_call_delta',
      index,
      ...(found === -1 && { id: call.id }),
      ...(named && { name: call.name }),
      delta: piece.text,
    })
    return call.text.length <= this.#options.maxBytes
  }

  #start({ index, id, freeForm }: ToolPiece): number {
    const unique = id !== undefined && !this.#calls.some((call) => call.id === id)
    this.#calls.push({
      upstreamIndex: index,
      upstreamId: id,
      id: unique ? id : this.#options.newId(),
      freeForm,
      name: '',
      text: '',
      isDropped: false,
    })
    return this.#calls.length - 1
  }

  drop(): void {
    for (const call of this.#calls) call.isDropped = true
  }

  flush(cutOff: boolean): UnreadableCall | undefined {
    for (const [index, call] of this.#calls.entries()) {
      if (call.isDropped) continue
      const { id, name, text } = call
      const isLast = index === this.#calls.length - 1
      if (cutOff && isLast && text.trim() === '') break
      const input = name === '' ? undefined : readInput(call)
      if (input) this.#emit({ type: 'tool_call', index, id, name, input: input.value })
      else if (!cutOff) {
        const isCut = isLast && stopsShort(text)
        return { unreadable: name === '' ? 'a call without a name' : name, isCut }
      }
    }
    return undefined
  }
}

/** The index of the call to which `piece` belongs, -1 if it starts one. */
function findCall(calls: readonly Call[], piece: ToolPiece): number {
  const { index, id, name, position, count } = piece
  if (id !== undefined) {
    const found = calls.findLastIndex((call) => call.upstreamId === id && call.upstreamIndex === index)
    if (found !== -1) return found
  }
  if (index !== undefined) {
    const found = calls.findLastIndex((call) => call.upstreamIndex === index)
    return found !== -1 && startsAnother(calls[found]!, piece) ? -1 : found
  }
  const last = calls.at(-1)
  if (last === undefined || (name !== undefined && (id !== undefined || last.name !== name))) return -1
  if (startsAnother(last, piece)) return -1
  return count > 1 && position < calls.length ? position : calls.length - 1
}

/** Whether `piece`, which may belong to `call`, is rather the beginning of another one. */
function startsAnother(call: Call, { id, name, text }: ToolPiece): boolean {
  if (name === undefined) return false
  if (id !== undefined && call.upstreamId !== undefined && id !== call.upstreamId) return true
  return id === undefined && text !== '' && call.text !== '' && parseJson(call.text) !== undefined
}

/** A name comes whole, is repeated while it grows (`get_`, `get_weather`), or is cut (`get_`, `weather`). */
function joinName(known: string, piece: string): string {
  return piece.startsWith(known) ? piece : known + piece
}

/** No arguments at all, in any of the ways in which upstreams say so, are `{}`. */
function readInput({ text, freeForm }: Call): { readonly value: unknown } | undefined {
  if (freeForm) return { value: text }
  const trimmed = text.trim()
  return trimmed === '' || trimmed === 'null' ? { value: {} } : parseJson(text)
}

/** Whether `text` ends inside a string, an object or a list. */
function stopsShort(text: string): boolean {
  const outside = text.replace(/"(?:[^"\\]|\\.)*"/gs, '')
  const opened = outside.match(/[{[]/g)?.length ?? 0
  const closed = outside.match(/[}\]]/g)?.length ?? 0
  return outside.includes('"') || opened > closed
}
