/** From whatever ended a command to its exit status and its words. */

import { CommanderError } from 'commander'
import { type Reason, TurnkeeperError } from '../errors.ts'

export type Failure = {
  readonly status: 1 | 2
  readonly message: string
  readonly json: object
  /** Only of an error that nobody expected, and only with TURNKEEPER_DEBUG set. */
  readonly stack?: string
}

/** What the caller of a command can mend by calling it otherwise, or by mending its configuration. */
const WRONG_USAGE: ReadonlySet<Reason> = new Set(['invalid_config', 'missing_variable', 'invalid_input'])

/** Exit status, words and JSON form of an error. */
export function errorToFailure(
  error: unknown,
  env: Readonly<Record<string, string | undefined>> = process.env,
): Failure {
  if (error instanceof CommanderError) return usageFailure(error)
  if (error instanceof TurnkeeperError) {
    const status = WRONG_USAGE.has(error.reason) ? 2 : 1
    return { status, message: error.message, json: error.toJSON() }
  }
  const message = unexpectedMessage(error)
  const stack = env.TURNKEEPER_DEBUG && error instanceof Error ? error.stack : undefined
  return {
    status: 1,
    message,
    json: new TurnkeeperError('unknown', message).toJSON(),
    ...(stack !== undefined && { stack }),
  }
}

function usageFailure(error: CommanderError): Failure {
  const isHelp = error.code === 'commander.help'
  const message = isHelp ? 'expected a command' : error.message.replace(/^error: /, '')
  const json = {
    code: 'usage/wrong_usage',
    category: 'usage',
    reason: 'wrong_usage',
    message,
    retryable: false,
  }
  return { status: 2, message, json }
}

/** What the system says about a file or a port is fit to be read; other surprises are told by their class. */
function unexpectedMessage(error: unknown): string {
  if (error instanceof Error && 'syscall' in error) return error.message
  const name = error instanceof Error ? error.name : typeof error
  return `unexpected ${name}; set TURNKEEPER_DEBUG=1 to see where`
}

/** True where a configuration was not there at all, as opposed to being wrong. */
export function isMissingFile(error: unknown): boolean {
  return (
    error instanceof TurnkeeperError &&
    error.cause instanceof Error &&
    'code' in error.cause &&
    error.cause.code === 'ENOENT'
  )
}
