/**
 * The command line: `main` builds the commands, runs one, and turns how it ended into an exit status.
 *
 *   0 success   1 a finding or a failure   2 wrong usage   130, 143 ended by a signal
 *
 * What a command needs is imported when it runs, so that `--help` loads nothing but this.
 */

import { Command, CommanderError, Option } from 'commander'
import { LOG_LEVELS } from '../config/defaults.ts'
import { packageVersion } from '../config/version.ts'
import { breakerCommand } from './commands/breaker.ts'
import { canaryCommand } from './commands/canary.ts'
import { configCommand } from './commands/config.ts'
import { enqueueCommand } from './commands/enqueue.ts'
import { metricsCommand } from './commands/metrics.ts'
import { modelsCommand } from './commands/models.ts'
import { probeCommand } from './commands/probe.ts'
import { recordsCommand } from './commands/records.ts'
import { routesCommand } from './commands/routes.ts'
import { serveCommand } from './commands/serve.ts'
import { simCommand } from './commands/sim.ts'
import { turnsCommand } from './commands/turns.ts'
import { workerCommand } from './commands/worker.ts'
import { errorToFailure } from './failure.ts'
import { createTerminal, type Terminal } from './terminal.ts'

/** A connection that will not close must not keep a finished command on the screen. */
const LINGER_MS = 3_000

/** Runs the command line `argv` (without node and script) and sets the exit status; never rejects. */
export async function main(argv: readonly string[]): Promise<void> {
  const terminal = createTerminal({ isJson: argv.includes('--json') })
  process.on('uncaughtException', (error) => process.exit(tell(error, terminal)))
  process.exitCode = await run(argv, terminal)
  setTimeout(() => process.exit(), LINGER_MS).unref()
}

async function run(argv: readonly string[], terminal: Terminal): Promise<number> {
  let status = 0
  const program = createProgram(terminal, (ended) => {
    status = ended
  })
  try {
    await program.parseAsync(argv, { from: 'user' })
    return status
  } catch (error) {
    if (error instanceof CommanderError && error.exitCode === 0) return 0 // --help, --version
    return tell(error, terminal)
  }
}

/** Says what went wrong, and returns the exit status of it. */
function tell(error: unknown, terminal: Terminal): number {
  const { status, message, json, stack } = errorToFailure(error)
  // commander has told its own errors already
  if (!(error instanceof CommanderError)) terminal.note(terminal.red(`error: ${message}`))
  if (stack !== undefined) terminal.note(stack)
  terminal.json({ error: json })
  return status
}

function createProgram(terminal: Terminal, onStatus: (status: number) => void): Command {
  const program = new Command('turnkeeper')
    .description('Runs agent turns that are never lost, on providers that are never trusted.')
    .version(packageVersion(), '-V, --version', 'print the version')
    .option('--config <file>', 'configuration (default: turnkeeper.config.yaml of this folder)')
    .option('--json', 'the last line of standard output is one JSON object')
    .addOption(
      new Option('--log-level <level>', 'least level that is logged, instead of telemetry.logLevel').choices(
        LOG_LEVELS,
      ),
    )
    .helpOption('-h, --help', 'explain a command')
    .helpCommand(false)
    .configureHelp({ showGlobalOptions: true })
    .exitOverride()
    .showHelpAfterError('Add --help to see what is possible.')
    .addHelpText('after', '\nExample:\n  turnkeeper enqueue assistant --input "What changed today?" --watch')
  const context = { terminal, onStatus }
  for (const command of [
    workerCommand,
    serveCommand,
    simCommand,
    enqueueCommand,
    turnsCommand,
    recordsCommand,
    routesCommand,
    modelsCommand,
    breakerCommand,
    probeCommand,
    canaryCommand,
    metricsCommand,
    configCommand,
  ]) {
    command(program, context)
  }
  return program
}
