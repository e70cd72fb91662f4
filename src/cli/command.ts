/** What every command is given, and what it may ask of the command line. */

import type { Command } from 'commander'
import type { LogLevel } from '../config/config.ts'
import type { Terminal } from './terminal.ts'

export type CommandContext = {
  readonly terminal: Terminal
  /** How the command ended, where that is not 0; a rejection says it too. */
  readonly onStatus: (status: number) => void
}

/** Adds a command, or a family of them, below `parent`. */
export type AddCommand = (parent: Command, context: CommandContext) => void

/** Options that every command has. */
export type GlobalOptions = {
  readonly config?: string
  readonly json?: boolean
  readonly logLevel?: LogLevel
}

/** A line of help that shows the command in use. */
export function example(line: string): readonly ['after', string] {
  return ['after', `\nExample:\n  ${line}`]
}
