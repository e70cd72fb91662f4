import { text as readAll } from 'node:stream/consumers'
import type { EnqueueOptions } from '../../queue/client/client.ts'
import type { TurnHandle } from '../../queue/client/handle.ts'
import { type AddCommand, type CommandContext, example, type GlobalOptions } from '../command.ts'
import { connectClient, findConfig } from '../settings.ts'
import { listenForSignals } from '../signals.ts'
import { watchTurn } from '../turns/watch.ts'
import { duration, wholeNumber, word } from '../values.ts'

type EnqueueFlags = GlobalOptions & {
  readonly input: string
  readonly session?: string
  readonly watch?: boolean
  readonly idempotencyKey?: string
  readonly priority?: number
  readonly model?: string
  /** Already in milliseconds. */
  readonly timeout?: number
}

/** `turnkeeper enqueue`: one turn, watched or not. */
export const enqueueCommand: AddCommand = (parent, context) => {
  parent
    .command('enqueue')
    .argument('<agent>', 'name of the agent')
    .description('enqueue a turn')
    .requiredOption('--input <text>', 'what the turn is asked; - reads standard input', word)
    .option('--session <id>', 'conversation that it belongs to (default: one of its own)', word)
    .option('--watch', 'follow the turn: its answer to standard output, the rest to standard error')
    .option('--idempotency-key <key>', 'the same key in the same session gives the same turn', word)
    .option('--priority <n>', '0 to 10, higher first', wholeNumber(0, 10))
    .option('--model <name>', "alias or provider/model instead of the agent's", word)
    .option('--timeout <duration>', 'the turn fails unless it has ended after this time', duration)
    .addHelpText(...example('turnkeeper enqueue assistant --input "What changed today?" --watch'))
    .action(async (agent: string, _options, command) => {
      await enqueue(agent, command.optsWithGlobals() as EnqueueFlags, context)
    })
}

async function enqueue(agent: string, flags: EnqueueFlags, context: CommandContext): Promise<void> {
  const { terminal, onStatus } = context
  const config = await findConfig(flags)
  const options = await flagsToOptions(flags)
  await using client = await connectClient(config, terminal)
  const turn = await client.enqueue(agent, options)
  if (!flags.watch) return tell(turn, context)
  using stop = listenForSignals()
  onStatus(await watchTurn(turn, { terminal, stop, timeoutMs: flags.timeout }))
}

async function tell(turn: TurnHandle, { terminal }: CommandContext): Promise<void> {
  const { id, sessionId } = turn
  const { state } = await turn.read()
  terminal.print(id)
  terminal.note(
    terminal.dim(`${state} in session ${sessionId}; look at it with: turnkeeper turns show ${id}`),
  )
  terminal.json({ id, sessionId, status: state })
}

async function flagsToOptions(flags: EnqueueFlags): Promise<EnqueueOptions> {
  const { input, session, idempotencyKey, priority, model, timeout } = flags
  return {
    input: input === '-' ? await readAll(process.stdin) : input,
    ...(session !== undefined && { sessionId: session }),
    ...(idempotencyKey !== undefined && { idempotencyKey }),
    ...(priority !== undefined && { priority }),
    ...(model !== undefined && { model }),
    ...(timeout !== undefined && { deadlineMs: timeout }),
  }
}
