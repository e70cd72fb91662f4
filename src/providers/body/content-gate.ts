/**
 * Decides what a body is from its first bytes, with the label only as a tie-break: labels lie in both directions
 * (events labelled JSON: openclaw#97454; JSON in answer to `stream: true`: mistral-vibe#619).
 *
 * G1. Nothing is parsed before the decision.
 * G2. A byte order mark, white space and SSE comments before the body decide nothing and are dropped: some
 *     upstreams send them as signs of life before a JSON answer.
 * G3. The first 512 significant bytes decide, or fewer if they suffice.
 */

import type { ContentKind } from '../upstream.ts'

export type Gate = {
  /** What the body is, once that is known; `rest` is the body from its first significant byte. */
  push(chunk: Uint8Array): GateDecision | undefined
  /** The decision at the end of the body, when nothing decided it before. */
  end(): GateDecision
}

export type GateDecision = { readonly kind: ContentKind; readonly rest: Uint8Array }

export type GateOptions = {
  /** Value of the Content-Type header. */
  readonly contentType: string | undefined
  /** How a stream of this protocol is framed. */
  readonly framing: 'sse' | 'ndjson'
  readonly streamed: boolean
}

const SNIFF_BYTES = 512
const SSE_FIELD = /^(data|event|id|retry|error)[ \t]*(:|\r|\n)/
const SSE_FIELD_START =
  /^(d|da|dat|data|e|ev|eve|even|event|er|err|erro|error|i|id|r|re|ret|retr|retry)[ \t]*$/
const LF = 10
const CR = 13
const COLON = 58
const ESCAPE = 27
const LESS_THAN = 60
const BRACKET = 91
const BRACE = 123
const NOTHING: Uint8Array = new Uint8Array(0)

/** A gate for one body. */
export function createGate(options: GateOptions): Gate {
  let head = NOTHING
  return {
    push(chunk) {
      head = dropInsignificant(head.length === 0 ? chunk : Buffer.concat([head, chunk]))
      const kind = kindOf(head, options, false)
      return kind && { kind, rest: head }
    },
    end() {
      const rest = isComment(head) ? NOTHING : head
      return { kind: kindOf(rest, options, true) ?? 'empty', rest }
    },
  }
}

function kindOf(head: Uint8Array, options: GateOptions, isWhole: boolean): ContentKind | undefined {
  if (head.length === 0 || isComment(head)) return undefined
  if (isBinary(head)) return 'binary'
  const first = head[0]
  if (first === LESS_THAN) return 'html'
  if (first === BRACE || first === BRACKET) return isNdjson(options) ? 'ndjson' : 'json'
  const text = latin1(head.subarray(0, SNIFF_BYTES))
  if (SSE_FIELD.test(text)) return 'sse'
  if (!isWhole && SSE_FIELD_START.test(text)) return undefined
  if (!isWhole && text.length < SNIFF_BYTES && !/[\r\n]/.test(text)) return undefined
  return /event-stream/i.test(options.contentType ?? '') ? 'sse' : 'other'
}

function isNdjson({ contentType = '', framing, streamed }: GateOptions): boolean {
  if (/ndjson|jsonl|json-seq/i.test(contentType)) return true
  return framing === 'ndjson' && streamed
}

/** Compressed or otherwise no text: magic numbers of gzip, zstd, zip and PNG, or control characters. */
function isBinary(head: Uint8Array): boolean {
  const [a, b] = head
  if ((a === 0x1f && b === 0x8b) || (a === 0x28 && b === 0xb5) || (a === 0x50 && b === 0x4b) || a === 0x89) {
    return true
  }
  const end = Math.min(head.length, SNIFF_BYTES)
  for (let at = 0; at < end; at++) {
    const byte = head[at]!
    if (byte < 9 || (byte > 13 && byte < 32 && byte !== ESCAPE)) return true
  }
  return false
}

/**
 * Without byte order mark, white space and whole comment lines. Of a comment without its end the colon stays, so that
 * a comment that never ends costs nothing.
 */
function dropInsignificant(head: Uint8Array): Uint8Array {
  let from = head[0] === 0xef && head[1] === 0xbb && head[2] === 0xbf ? 3 : 0
  for (;;) {
    while (isSpace(head[from])) from++
    if (head[from] !== COLON) return head.subarray(from)
    const end = head.findIndex((byte, index) => index > from && (byte === LF || byte === CR))
    if (end === -1) return head.subarray(from, from + 1)
    from = end + 1
  }
}

function isComment(head: Uint8Array): boolean {
  // A byte order mark may still be on its way.
  return head[0] === COLON || (head[0] === 0xef && head.length < 3)
}

function isSpace(byte: number | undefined): boolean {
  return byte === 32 || byte === LF || byte === CR || byte === 9
}

function latin1(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1')
}
