import { TurnkeeperError } from '../../errors.ts'
import type { OpenRecords } from '../../providers/recorder/open-records.ts'
import { type AddCommand, example, type GlobalOptions } from '../command.ts'
import { recordListText, recordText } from '../records/record-text.ts'
import { findConfig } from '../settings.ts'
import type { Terminal } from '../terminal.ts'
import { wholeNumber } from '../values.ts'

/** `turnkeeper records …`: the evidence of failed provider attempts. */
export const recordsCommand: AddCommand = (parent, { terminal }) => {
  const records = parent
    .command('records')
    .description('look at what upstreams sent when an attempt failed')
    .helpCommand(false)
    .addHelpText(...example('turnkeeper records list --limit 20'))

  records
    .command('list')
    .description('list records, newest first')
    .option('--route <route>', 'of this provider/model alone')
    .option('--limit <n>', 'at most so many', wholeNumber(1, 1_000), 50)
    .addHelpText(...example('turnkeeper records list --route openrouter/z-ai/glm-4.6'))
    .action(async (options: { route?: string; limit: number }, command) => {
      await using reader = await openReader(command.optsWithGlobals() as GlobalOptions, terminal)
      const found = await reader.list(options)
      if (found.length === 0) terminal.note('no records are kept')
      else terminal.print(recordListText(found))
      terminal.json({ records: found })
    })

  records
    .command('show')
    .argument('<id>', 'id of a record, as logs, traces and turns show it')
    .description('show one record; with --json its raw bytes too, where this machine has the file')
    .addHelpText(...example('turnkeeper records show r-mabc1234-0123456789'))
    .action(async (id: string, _options, command) => {
      await using reader = await openReader(command.optsWithGlobals() as GlobalOptions, terminal)
      const record = await reader.get(id)
      if (record === undefined) {
        const problem = `there is no record ${id.slice(0, 80)}: it was dropped, or is older than recorder.keep`
        throw new TurnkeeperError('invalid_input', problem)
      }
      terminal.print(recordText(record))
      const { readRecordLine } = await import('../../providers/recorder/raw-files.ts')
      const line = record.raw && (await readRecordLine(record.raw))
      terminal.json(line === undefined ? record : { ...JSON.parse(line), raw: record.raw })
    })
}

async function openReader(options: GlobalOptions, terminal: Terminal): Promise<OpenRecords> {
  const config = await findConfig(options)
  const { openRecords } = await import('../../providers/recorder/open-records.ts')
  return openRecords(config, { warn: (message) => terminal.note(message) })
}
