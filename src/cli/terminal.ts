/**
 * Where a command's words go: answers to standard output, everything said to a person to standard error, and with
 * `--json` one object as the last line of standard output.
 */

import { styleText } from 'node:util'

export type Terminal = {
  readonly isJson: boolean
  /** A line of the answer; nothing with `--json`. */
  print(line: string): void
  /** A piece of an answer that is still coming; nothing with `--json`. */
  stream(piece: string): void
  /** Ends a line that `stream` has begun. */
  endLine(): void
  /** A line for people, on standard error. */
  note(line: string): void
  /** A line of JSON; nothing without `--json`. */
  json(value: object): void
  dim(text: string): string
  red(text: string): string
}

type Style = 'dim' | 'red'

export type TerminalOptions = {
  readonly isJson: boolean
  readonly out?: NodeJS.WriteStream
  readonly err?: NodeJS.WriteStream
}

/** The terminal of this process. A reader that has gone away ends it quietly, with the status it has. */
export function createTerminal({
  isJson,
  out = process.stdout,
  err = process.stderr,
}: TerminalOptions): Terminal {
  out.on('error', endOnClosedPipe)
  err.on('error', () => {}) // nobody is left to tell
  let isLineOpen = false
  const stream = (piece: string): void => {
    if (isJson || piece === '') return
    out.write(piece)
    isLineOpen = !piece.endsWith('\n')
  }
  const endLine = (): void => {
    if (isLineOpen) stream('\n')
  }
  // styleText looks at the stream: no colours off a terminal, nor with NO_COLOR
  const style = (name: Style, text: string): string => styleText(name, text, { stream: err })
  return {
    isJson,
    stream,
    endLine,
    print: (line) => stream(`${line}\n`),
    note(line) {
      endLine()
      err.write(`${line}\n`)
    },
    json(value) {
      if (isJson) out.write(`${JSON.stringify(value)}\n`)
    },
    dim: (text) => style('dim', text),
    red: (text) => style('red', text),
  }
}

/** `turnkeeper … | head` has all that it wanted: no error. */
function endOnClosedPipe(error: NodeJS.ErrnoException): void {
  process.exit(error.code === 'EPIPE' ? process.exitCode : 1)
}
