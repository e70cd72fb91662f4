/** What a person tells a turn: cancel, approve, reject, resolve, retry. Each says what came of it. */

import { userInfo } from 'node:os'
import { type Command, InvalidArgumentError } from 'commander'
import type { TurnClient } from '../../queue/client/client.ts'
import { isTerminal, type Json } from '../../queue/types.ts'
import { type CommandContext, example, type GlobalOptions } from '../command.ts'
import { connectReader, findConfig } from '../settings.ts'
import { word } from '../values.ts'

type Flags = GlobalOptions & { readonly by: string; readonly reason?: string }
type ResolveFlags = { readonly done?: boolean; readonly notDone?: boolean; readonly result?: Json }
type Add = (name: string, description: string) => Command

const CALL = ['<callId>', 'the call, as `turns show` names it'] as const
const ID = 't-0123456789abcdef~support-42'

/** Adds the deciding commands below `turns`. */
export function addDecisions(turns: Command, context: CommandContext): void {
  const add: Add = (name, description) =>
    turns
      .command(name)
      .argument('<id>', 'id of the turn')
      .description(description)
      .option('--by <name>', 'who decides; kept in the audit', word, osUser())
  addCancel(add, context)
  addApproval(add, context)
  addResolve(add, context)
  addRetry(add, context)
}

function addCancel(add: Add, context: CommandContext): void {
  const { terminal, onStatus } = context
  add('cancel', 'cancel a turn; running tools get the signal')
    .option('--reason <text>', 'told to whoever waits for the turn', word)
    .addHelpText(...example(`turnkeeper turns cancel ${ID} --reason "asked twice"`))
    .action((id: string, _options, command: Command) =>
      withClient(command, context, async (client, { by, reason }) => {
        const turn = client.turn(id)
        await turn.cancel(reason ?? `cancelled by ${by}`, { by })
        const { state } = await turn.read()
        terminal.print(isTerminal(state) ? state : `${state}: its worker has been told`)
        terminal.json({ id, status: state })
        if (isTerminal(state) && state !== 'cancelled') onStatus(1) // too late
      }),
    )
}

function addApproval(add: Add, context: CommandContext): void {
  add('approve', 'let a tool call run that waits for an approval')
    .argument(...CALL)
    .addHelpText(...example(`turnkeeper turns approve ${ID} call_1`))
    .action((id: string, callId: string, _options, command: Command) =>
      withClient(command, context, async (client, { by }) => {
        await client.approve(id, callId, { by })
        await tellState(client, id, context)
      }),
    )
  add('reject', 'refuse a tool call that waits for an approval; the model is told')
    .argument(...CALL)
    .option('--reason <text>', 'told to the model', word)
    .addHelpText(...example(`turnkeeper turns reject ${ID} call_1 --reason "too much"`))
    .action((id: string, callId: string, _options, command: Command) =>
      withClient(command, context, async (client, { by, reason }) => {
        await client.reject(id, callId, { by, ...(reason !== undefined && { reason }) })
        await tellState(client, id, context)
      }),
    )
}

function addResolve(add: Add, context: CommandContext): void {
  add('resolve', 'say what became of a call whose worker was lost; the turn goes on')
    .argument(...CALL)
    .option('--done', 'it has taken effect: it is not run again')
    .option('--not-done', 'it has not: it is run again')
    .option('--result <json>', 'with --done: what the tool would have returned', json)
    .addHelpText(...example(`turnkeeper turns resolve ${ID} call_1 --done --result '"sent"'`))
    .action((id: string, callId: string, _options, command: Command) => {
      const { done, notDone, result } = command.opts<ResolveFlags>()
      if (done === notDone) command.error('error: expected either --done or --not-done')
      if (notDone && result !== undefined) command.error('error: --result goes with --done')
      return withClient(command, context, async (client, { by }) => {
        await client.resolve(
          id,
          callId,
          done ? { done: true, result: result ?? null, by } : { done: false, by },
        )
        await tellState(client, id, context)
      })
    })
}

function addRetry(add: Add, context: CommandContext): void {
  const { terminal } = context
  add('retry', 'enqueue a failed turn again; its finished steps are kept')
    .option('--reason <text>', 'kept in the audit', word)
    .addHelpText(...example(`turnkeeper turns retry ${ID}`))
    .action((id: string, _options, command: Command) =>
      withClient(command, context, async (client, { by, reason }) => {
        const turn = await client.turn(id).retry({ by, ...(reason !== undefined && { reason }) })
        const { state } = await turn.read()
        terminal.print(turn.id)
        terminal.note(terminal.dim(`${state}; look at it with: turnkeeper turns show ${turn.id}`))
        terminal.json({ id: turn.id, sessionId: turn.sessionId, status: state, retryOf: id })
      }),
    )
}

/** These are about turns that were accepted already: a Redis that keeps no file is no reason to refuse. */
async function withClient(
  command: Command,
  { terminal }: CommandContext,
  work: (client: TurnClient, flags: Flags) => Promise<void>,
): Promise<void> {
  const flags = command.optsWithGlobals() as Flags
  await using client = await connectReader(await findConfig(flags), terminal)
  await work(client, flags)
}

async function tellState(client: TurnClient, id: string, { terminal }: CommandContext): Promise<void> {
  const { state } = await client.turn(id).read()
  terminal.print(state)
  terminal.json({ id, status: state })
}

function json(text: string): Json {
  try {
    return JSON.parse(text)
  } catch {
    throw new InvalidArgumentError(`Expected JSON; a word needs quotes of its own: '"sent"'.`)
  }
}

/** Whoever types; a container may run as a user that the system has no name for. */
function osUser(): string {
  try {
    return userInfo().username
  } catch {
    return `uid ${process.getuid?.() ?? 'unknown'}`
  }
}
