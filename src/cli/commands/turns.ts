import type { Command } from 'commander'
import type { ListOptions } from '../../queue/client/listing.ts'
import type { TurnState } from '../../queue/types.ts'
import { type AddCommand, type CommandContext, example, type GlobalOptions } from '../command.ts'
import { connectReader, findConfig } from '../settings.ts'
import { addDecisions } from '../turns/decisions.ts'
import { turnListText } from '../turns/turn-list-text.ts'
import { turnText } from '../turns/turn-text.ts'
import { wholeNumber, word } from '../values.ts'

/** `turnkeeper turns …`: what the journal has, and what a person tells it. */
export const turnsCommand: AddCommand = (parent, context) => {
  const turns = parent
    .command('turns')
    .description('look at turns, and decide about them')
    .helpCommand(false)
    .addHelpText(...example('turnkeeper turns list --status needs_review'))
  addShow(turns, context)
  addList(turns, context)
  addDecisions(turns, context)
}

function addShow(turns: Command, { terminal }: CommandContext): void {
  turns
    .command('show')
    .argument('<id>', 'id of a turn, as enqueue printed it')
    .description('show one turn: state, steps, attempts, usage, answer or error, and what it waits for')
    .addHelpText(...example('turnkeeper turns show t-0123456789abcdef~support-42'))
    .action(async (id: string, _options, command) => {
      const config = await findConfig(command.optsWithGlobals() as GlobalOptions)
      await using client = await connectReader(config, terminal)
      const details = await client.turn(id).details()
      terminal.print(turnText(details))
      terminal.json(details)
    })
}

type ListFlags = GlobalOptions & {
  readonly status?: TurnState
  readonly agent?: string
  readonly session?: string
  readonly dead?: boolean
  readonly limit: number
  readonly cursor?: string
}

function addList(turns: Command, { terminal }: CommandContext): void {
  turns
    .command('list')
    .description('list open turns, oldest first, then ended ones, newest first')
    .option('--status <state>', 'only turns in this state', word)
    .option('--agent <name>', 'only turns of this agent', word)
    .option('--session <id>', 'only turns of this session', word)
    .option('--dead', 'only dead letters: turns that were given up, and not retried since')
    .option('--limit <n>', 'at most so many', wholeNumber(1, 1_000), 50)
    .option('--cursor <cursor>', 'go on after the page that ended with it', word)
    .addHelpText(...example('turnkeeper turns list --status failed --limit 20'))
    .action(async (_options, command) => {
      const flags = command.optsWithGlobals() as ListFlags
      const config = await findConfig(flags)
      await using client = await connectReader(config, terminal)
      const page = await client.turns(flagsToOptions(flags))
      if (page.turns.length === 0) terminal.note('no such turns are kept')
      else terminal.print(turnListText(page.turns))
      if (page.cursor !== undefined) terminal.note(terminal.dim(`more with: --cursor ${page.cursor}`))
      terminal.json({ turns: page.turns, cursor: page.cursor ?? null })
    })
}

function flagsToOptions({ status, agent, session, dead, limit, cursor }: ListFlags): ListOptions {
  return {
    limit,
    ...(status !== undefined && { status }),
    ...(agent !== undefined && { agent }),
    ...(session !== undefined && { sessionId: session }),
    ...(dead !== undefined && { dead }),
    ...(cursor !== undefined && { cursor }),
  }
}
