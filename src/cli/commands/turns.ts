import type { Command } from 'commander'
import type { Config } from '../../config/config.ts'
import type { TurnHandle } from '../../queue/client/handle.ts'
import type { ListOptions } from '../../queue/client/listing.ts'
import type { TurnEvent, TurnState } from '../../queue/types.ts'
import { type AddCommand, type CommandContext, example, type GlobalOptions } from '../command.ts'
import { openInspection } from '../inspection.ts'
import { connectReader, findConfig } from '../settings.ts'
import type { Terminal } from '../terminal.ts'
import { addDecisions } from '../turns/decisions.ts'
import { type TurnTranscript, transcriptOf } from '../turns/transcript.ts'
import { transcriptText } from '../turns/transcript-text.ts'
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
    .option('--transcript', 'all that happened in its order, as Markdown: what was said, decided and tried')
    .addHelpText(...example('turnkeeper turns show t-0123456789abcdef~support-42'))
    .action(async (id: string, _options, command) => {
      const flags = command.optsWithGlobals() as GlobalOptions & { readonly transcript?: boolean }
      const config = await findConfig(flags)
      await using client = await connectReader(config, terminal)
      if (flags.transcript) {
        const transcript = await readTranscript(client.turn(id), config, terminal)
        terminal.print(transcriptText(transcript))
        terminal.json(transcript)
        return
      }
      const details = await client.turn(id).details()
      terminal.print(turnText(details))
      terminal.json(details)
    })
}

async function readTranscript(turn: TurnHandle, config: Config, terminal: Terminal): Promise<TurnTranscript> {
  const record = await turn.read()
  const events: TurnEvent[] = []
  for await (const event of turn.events({ follow: false })) events.push(event)
  await using inspection = await openInspection(config, terminal)
  return transcriptOf(record, { events, moves: await inspection.history() })
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
