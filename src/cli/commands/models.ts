import { type AddCommand, example, type GlobalOptions } from '../command.ts'
import { openInspection } from '../inspection.ts'
import { modelListText } from '../models/model-list-text.ts'
import { requireConfig } from '../settings.ts'

/** `turnkeeper models`: what the providers offer, by their own lists. */
export const modelsCommand: AddCommand = (parent, { terminal, onStatus }) => {
  parent
    .command('models')
    .description("list the providers' models with window, price and abilities")
    .option('--refresh', 'fetch the lists anew, whatever their age')
    .addHelpText(...example('turnkeeper models --refresh'))
    .action(async ({ refresh = false }: { refresh?: boolean }, command) => {
      const config = await requireConfig(command.optsWithGlobals() as GlobalOptions)
      await using inspection = await openInspection(config, terminal)
      const lists = await inspection.models({ refresh })
      for (const list of lists) terminal.print(modelListText(list))
      for (const { provider, error } of lists) {
        if (error) terminal.note(terminal.red(`${provider}: ${error.message}`))
      }
      terminal.json({ providers: lists })
      onStatus(lists.some(({ error }) => error) ? 1 : 0)
    })
}
