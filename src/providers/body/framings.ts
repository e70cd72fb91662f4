/** How the bytes of each kind of body become events of a mapper. */

import { TurnkeeperError } from '../../errors.ts'
import { parseJson } from '../narrow.ts'
import type { AnswerMapper, Mapped } from '../protocols/protocol.ts'
import type { Limits } from '../types.ts'
import type { ContentKind } from '../upstream.ts'
import { createLineReader } from './lines.ts'
import { createSseReader } from './sse.ts'

/** What OpenAI, and who copies it, puts after the last event of a stream. */
const END_MARKER = '[DONE]'

/** Reads one kind of body. */
export type Framing = { push(chunk: Uint8Array): void; end(): void }

/** What a framing may do with what it reads. */
export type Reading = {
  readonly mapper: AnswerMapper
  readonly status: number
  /** Bytes came, be they only comments and white space. */
  readonly sawBytes: boolean
  readonly limits: Limits
  /** The verdict is reached: what else stands in the same chunk must not reach the mapper, which emits parts. */
  readonly isSettled: boolean
  /** An event was mapped. */
  take(mapped: Mapped): void
  /** The answer is over; `marked`: by its end marker. */
  finish(marked: boolean): void
  fail(error: TurnkeeperError): void
}

/** The framing for what the gate found. */
export function openBody(reading: Reading, kind: ContentKind): Framing {
  const { status, limits } = reading
  switch (kind) {
    case 'sse':
      return sseBody(reading)
    case 'ndjson':
      return linesBody(reading)
    case 'json':
      return wholeBody(limits.bodyBytes, (text) => readJson(text, reading))
    case 'empty':
      return { push: () => {}, end: () => reading.fail(reading.sawBytes ? truncated() : emptyBody(status)) }
    default:
      reading.fail(notAnAnswer(kind, status))
      return { push: () => {}, end: () => {} }
  }
}

function sseBody(reading: Reading): Framing {
  const { mapper, limits, status } = reading
  let isEnding = false
  let sawEvent = false
  let sawStray = false

  const onEvent = (data: string, name: string | undefined): void => {
    if (reading.isSettled) return
    const isEnd = data === END_MARKER
    const json = isEnd ? undefined : parseJson(data)
    if (json !== undefined) reading.take(mapper.event(json.value, name))
    else if (isEnd || data.trim() === END_MARKER) reading.finish(true)
    else if (data.trim() === '') return
    else if (isEnding) reading.fail(truncated())
    else reading.fail(unreadable('sse_parse', 'an event of the stream is not JSON that can be read', status))
    sawEvent = true
  }
  const onStrayLine = (line: string): void => {
    sawStray = true
    if (reading.isSettled) return
    const [, failure] = /^error:\s*(.*)$/s.exec(line) ?? []
    const json = line.startsWith('{') ? parseJson(line) : undefined
    if (failure !== undefined) {
      reading.take({ type: 'error', body: { error: parseJson(failure)?.value ?? failure } })
    } else if (/^\s*<(!doctype|html)/i.test(line)) reading.fail(notAnAnswer('html', status))
    else if (json !== undefined) reading.take(mapper.event(json.value, undefined))
  }
  const onOverflow = (): void => reading.fail(oversizedEvent(limits.eventBytes, status))

  const reader = createSseReader({ onEvent, onStrayLine, onOverflow }, limits)
  return {
    push: reader.push,
    end() {
      isEnding = true
      reader.end()
      if (sawStray && !sawEvent) reading.fail(notAnAnswer('other', status))
      reading.finish(false)
    },
  }
}

function linesBody(reading: Reading): Framing {
  const { mapper, limits, status } = reading
  let isEnding = false
  const onLine = (line: string): void => {
    if (reading.isSettled) return
    const json = parseJson(line)
    if (json !== undefined) reading.take(mapper.event(json.value, undefined))
    else if (isEnding) reading.fail(truncated())
    else reading.fail(unreadable('non_json', 'a line of the stream is not JSON that can be read', status))
  }
  const onOverflow = (): void => reading.fail(oversizedEvent(limits.eventBytes, status))
  const reader = createLineReader({ onLine, onOverflow }, { lineBytes: limits.eventBytes })
  return {
    push: reader.push,
    end() {
      isEnding = true
      reader.end()
      reading.finish(false)
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
function readJson(text: string, reading: Reading): void {
  const { mapper, status } = reading
  const json = parseJson(text)
  if (json !== undefined) {
    reading.take(mapper.body(json.value))
    reading.finish(true)
    return
  }
  const lines = text.split('\n').filter((line) => line.trim() !== '')
  const values = lines.map(parseJson).filter((value) => value !== undefined)
  if (values.length === lines.length) {
    for (const { value } of values) if (!reading.isSettled) reading.take(mapper.event(value, undefined))
    reading.finish(false)
  } else if (/[\]}]\s*$/.test(text)) {
    reading.fail(unreadable('non_json', 'the body is not JSON that can be read', status))
  } else reading.fail(truncated())
}

function unreadable(reason: 'sse_parse' | 'non_json', message: string, status: number): TurnkeeperError {
  return new TurnkeeperError(reason, message, { status })
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
