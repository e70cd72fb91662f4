/** How the bytes of each kind of body become events of a mapper. */

import { TurnkeeperError } from '../../errors.ts'
import { parseJson } from '../narrow.ts'
import type { AnswerMapper, Mapped } from '../protocols/protocol.ts'
import type { Limits } from '../types.ts'
import type { ContentKind } from '../upstream.ts'
import { createLineReader } from './lines.ts'
import { createSseReader } from './sse.ts'

/** Reads one kind of body. */
export type Framing = { push(chunk: Uint8Array): void; end(): void }

/** What a framing may do with what it reads. */
export type Reading = {
  readonly mapper: AnswerMapper
  readonly status: number
  /** Bytes came, be they only comments and white space. */
  readonly sawBytes: boolean
  readonly limits: Limits
  readonly kind: ContentKind
  /** The verdict is reached: what else stands in the same chunk must not reach the mapper, which emits parts. */
  isSettled(): boolean
  /** An event was mapped. */
  take(mapped: Mapped): void
  /** The answer is over; `marked`: by its end marker. */
  finish(marked: boolean): void
  fail(error: TurnkeeperError): void
}

/** The framing for what the gate found. */
export function openBody(reading: Reading): Framing {
  const { kind, status, limits, fail } = reading
  switch (kind) {
    case 'sse':
      return sseBody(reading)
    case 'ndjson':
      return linesBody(reading)
    case 'json':
      return wholeBody(limits.bodyBytes, (text) => readJson(text, reading))
    case 'empty':
      return { push: () => {}, end: () => fail(reading.sawBytes ? truncated() : emptyBody(status)) }
    default:
      fail(notAnAnswer(kind, status))
      return { push: () => {}, end: () => {} }
  }
}

function sseBody({ mapper, limits, status, isSettled, take, finish, fail }: Reading): Framing {
  let isEnding = false
  let sawEvent = false
  let sawStray = false

  const onEvent = (data: string, name: string | undefined): void => {
    if (data.trim() === '' || isSettled()) return
    sawEvent = true
    const isEnd = data.trim() === '[DONE]'
    const json = isEnd ? undefined : parseJson(data)
    if (isEnd) finish(true)
    else if (json !== undefined) take(mapper.event(json.value, name))
    else if (isEnding) fail(truncated())
    else
      fail(
        new TurnkeeperError('sse_parse', 'an event of the stream is not JSON that can be read', { status }),
      )
  }
  const onStrayLine = (line: string): void => {
    sawStray = true
    if (isSettled()) return
    const [, failure] = /^error:\s*(.*)$/s.exec(line) ?? []
    const json = line.startsWith('{') ? parseJson(line) : undefined
    if (failure !== undefined) take({ type: 'error', body: { error: parseJson(failure)?.value ?? failure } })
    else if (/^\s*<(!doctype|html)/i.test(line)) fail(notAnAnswer('html', status))
    else if (json !== undefined) take(mapper.event(json.value, undefined))
  }
  const onOverflow = (): void => fail(oversizedEvent(limits.eventBytes, status))

  const reader = createSseReader({ onEvent, onStrayLine, onOverflow }, limits)
  return {
    push: reader.push,
    end() {
      isEnding = true
      reader.end()
      if (sawStray && !sawEvent) fail(notAnAnswer('other', status))
      finish(false)
    },
  }
}

function linesBody({ mapper, limits, status, isSettled, take, finish, fail }: Reading): Framing {
  let isEnding = false
  const onLine = (line: string): void => {
    if (isSettled()) return
    const json = parseJson(line)
    if (json !== undefined) take(mapper.event(json.value, undefined))
    else if (isEnding) fail(truncated())
    else
      fail(new TurnkeeperError('non_json', 'a line of the stream is not JSON that can be read', { status }))
  }
  const onOverflow = (): void => fail(oversizedEvent(limits.eventBytes, status))
  const reader = createLineReader({ onLine, onOverflow }, { lineBytes: limits.eventBytes })
  return {
    push: reader.push,
    end() {
      isEnding = true
      reader.end()
      finish(false)
    },
  }
}

/** For whole texts: it keeps nothing from one to the next. */
const UTF8 = new TextDecoder()

/** Keeps the first `maxBytes` and hands them on as text at the end. */
export function wholeBody(maxBytes: number, onText: (text: string) => void): Framing {
  const chunks: Uint8Array[] = []
  let sizeBytes = 0
  return {
    push(chunk) {
      if (sizeBytes < maxBytes) chunks.push(chunk)
      sizeBytes += chunk.length
    },
    end: () => onText(UTF8.decode(chunks.length === 1 ? chunks[0] : Buffer.concat(chunks))),
  }
}

/** One JSON value, or several with a line each, as some hosts answer a stream request. */
function readJson(text: string, { mapper, status, isSettled, take, finish, fail }: Reading): void {
  const json = parseJson(text)
  if (json !== undefined) {
    take(mapper.body(json.value))
    finish(true)
    return
  }
  const lines = text.split('\n').filter((line) => line.trim() !== '')
  const values = lines.map(parseJson).filter((value) => value !== undefined)
  if (values.length === lines.length) {
    for (const { value } of values) if (!isSettled()) take(mapper.event(value, undefined))
    finish(false)
  } else if (/[\]}]\s*$/.test(text))
    fail(new TurnkeeperError('non_json', 'the body is not JSON that can be read', { status }))
  else fail(truncated())
}

/** A body that ended before its answer did. */
export function truncated(): TurnkeeperError {
  return new TurnkeeperError('truncated_stream', 'the response ended before the answer did')
}

function emptyBody(status: number): TurnkeeperError {
  return new TurnkeeperError('empty_body', `the upstream answered ${status} with an empty body`, { status })
}

function oversizedEvent(eventBytes: number, status: number): TurnkeeperError {
  return new TurnkeeperError('server_error', `an event of the stream exceeds ${eventBytes} bytes`, { status })
}

function notAnAnswer(kind: ContentKind, status: number): TurnkeeperError {
  if (kind === 'html') {
    return new TurnkeeperError('html_payload', `the upstream answered ${status} with an HTML page`, {
      status,
    })
  }
  if (kind === 'binary') {
    return new TurnkeeperError('binary_payload', `the upstream answered ${status} with binary data`, {
      status,
    })
  }
  return new TurnkeeperError('non_json', `the upstream answered ${status} with neither JSON nor events`, {
    status,
  })
}
