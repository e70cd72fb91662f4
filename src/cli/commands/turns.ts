import { type AddCommand, example, type GlobalOptions } from '../command.ts'
import { connectReader, findConfig } from '../settings.ts'
import { turnListText } from '../turns/turn-list-text.ts'
import { turnText } from '../turns/turn-text.ts'
import { wholeNumber } from '../values.ts'

/** `turnkeeper turns …`: what the journal has. */
export const turnsCommand: AddCommand = (parent, { terminal }) => {
  const turns = parent
    .command('turns')
    .description('look at turns')
    .helpCommand(false)
    .addHelpText(...example('turnkeeper turns list --limit 20'))

  turns
    .command('show')
    .argument('<id>', 'id of a turn, as enqueue printed it')
    .description('show one turn: state, steps, attempts, usage, answer or error')
    .addHelpText(...example('turnkeeper turns show t-0123456789abcdef~support-42'))
    .action(async (id: string, _options, command) => {
      const config = await findConfig(command.optsWithGlobals() as GlobalOptions)
      await using client = await connectReader(config, terminal)
      const record = await client.turn(id).read()
      terminal.print(turnText(record))
      terminal.json(record)
    })

  turns
    .command('list')
    .description('list open turns, then ended ones, newest first')
    .option('--limit <n>', 'at most so many of each', wholeNumber(1, 1_000), 50)
    .addHelpText(...example('turnkeeper turns list --limit 20'))
    .action(async ({ limit }: { limit: number }, command) => {
      const config = await findConfig(command.optsWithGlobals() as GlobalOptions)
      await using client = await connectReader(config, terminal)
      const records = await client.turns({ limit })
      if (records.length === 0) terminal.note('no turns are kept')
      else terminal.print(turnListText(records))
      terminal.json({ turns: records })
    })
}
