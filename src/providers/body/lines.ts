/** Bytes to lines of text, for bodies of one JSON value a line. */
export type LineReader = {
  push(chunk: Uint8Array): void
  /** Hands on a last line that has no end. */
  end(): void
}

export type LineSink = {
  /** A line without its end; never empty. */
  readonly onLine: (line: string) => void
  /** A line outgrew the limit. Nothing more comes after it. */
  readonly onOverflow: () => void
}

/** A reader of one body; `lineBytes` bounds what is held of one line. */
export function createLineReader(sink: LineSink, { lineBytes }: { readonly lineBytes: number }): LineReader {
  const decoder = new TextDecoder()
  let held: string[] = []
  let heldLength = 0
  let isOver = false

  const feed = (text: string): void => {
    const end = text.lastIndexOf('\n') + 1
    if (end > 0) {
      const lines = (held.join('') + text.slice(0, end)).split('\n')
      held = []
      heldLength = 0
      for (const line of lines) if (line.trim() !== '') sink.onLine(line)
    }
    const rest = text.slice(end)
    if (rest === '') return
    held.push(rest)
    heldLength += rest.length
    if (heldLength <= lineBytes) return
    isOver = true
    sink.onOverflow()
  }

  return {
    push(chunk) {
      if (!isOver) feed(decoder.decode(chunk, { stream: true }))
    },
    end() {
      if (!isOver) feed(`${decoder.decode()}\n`)
    },
  }
}
