/**
 * Bytes of an event stream to its events: UTF-8 across chunk borders, then the parser of eventsource-parser.
 *
 * Whole lines only are fed to it, since it drops unknown fields unseen when they come in pieces, and llama.cpp
 * sends its failures as an unknown field (`error: {…}`).
 */

import { StringDecoder } from 'node:string_decoder'

import { createParser, type ParseError } from 'eventsource-parser'

export type SseSink = {
  /** One event with data; `name` is its `event` field. */
  readonly onEvent: (data: string, name: string | undefined) => void
  /** A line that is no field of the specification, whole, `error: {…}` among them. */
  readonly onStrayLine: (line: string) => void
  /** An event or a line outgrew the limit. Nothing more comes after it. */
  readonly onOverflow: () => void
}

export type SseReader = {
  push(chunk: Uint8Array): void
  /** Hands on what stands before the end of the body without a blank line after it. */
  end(): void
}

/** A reader of one stream; `eventBytes` bounds what is held of one event. */
export function createSseReader(sink: SseSink, { eventBytes }: { readonly eventBytes: number }): SseReader {
  // Leaves a byte order mark to the parser, which drops it, and takes half the time of a TextDecoder that streams.
  const decoder = new StringDecoder('utf8')
  const parser = createParser({
    maxBufferSize: eventBytes,
    onEvent: ({ data, event }) => sink.onEvent(data, event),
    onError: (error) => onParseError(error),
  })
  let isOver = false
  let held: string[] = []
  let heldLength = 0

  const overflow = (): void => {
    isOver = true
    sink.onOverflow()
  }
  const onParseError = (error: ParseError): void => {
    if (error.type === 'max-buffer-size-exceeded') overflow()
    else if (error.type === 'unknown-field' && error.line) sink.onStrayLine(error.line)
  }
  const hold = (text: string): void => {
    if (text === '') return
    held.push(text)
    heldLength += text.length
    if (heldLength > eventBytes) overflow()
  }
  const feed = (text: string): void => {
    const end = endOfLastLine(text)
    if (end === 0) {
      hold(text)
      return
    }
    const lines = text.slice(0, end)
    const whole = held.length === 0 ? lines : held.join('') + lines
    held = []
    heldLength = 0
    parser.feed(whole)
    if (!isOver) hold(text.slice(end))
  }

  return {
    push(chunk) {
      if (!isOver) feed(decoder.write(chunk))
    },
    end() {
      if (!isOver) feed(`${decoder.end()}\n\n`)
    },
  }
}

const LF = 10

/** The index after the last line end in `text`, 0 if there is none. CR counts: it is a line end of its own. */
function endOfLastLine(text: string): number {
  if (text.charCodeAt(text.length - 1) === LF) return text.length // as chunks do that hold whole events
  const afterLf = text.lastIndexOf('\n') + 1
  const cr = text.indexOf('\r', afterLf)
  return cr === -1 ? afterLf : text.lastIndexOf('\r') + 1
}
