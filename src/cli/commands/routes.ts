import { InvalidArgumentError } from 'commander'
import { suggestion } from '../../config/problems.ts'
import { CAPABILITY_NAMES, type Capability } from '../../providers/capabilities/capability.ts'
import { type AddCommand, example, type GlobalOptions } from '../command.ts'
import { openInspection } from '../inspection.ts'
import { routeListText } from '../models/route-list-text.ts'
import { requireConfig } from '../settings.ts'

/** `turnkeeper routes`: the configured routes, how they stand and what they can. */
export const routesCommand: AddCommand = (parent, { terminal, onStatus }) => {
  parent
    .command('routes')
    .description('list the configured routes: state, since when, next probe, score, aliases, what they can')
    .option('--can <capabilities>', 'only routes that can all of these (tools,vision)', capabilityList)
    .addHelpText(...example('turnkeeper routes --can tools,vision'))
    .action(async ({ can = [] }: { can?: readonly Capability[] }, command) => {
      const config = await requireConfig(command.optsWithGlobals() as GlobalOptions)
      await using inspection = await openInspection(config, terminal)
      const routes = await inspection.routes()
      const able = routes.filter(({ capabilities }) => can.every((name) => capabilities[name].can === true))
      if (able.length > 0) terminal.print(routeListText(able, Date.now()))
      else
        terminal.note(
          can.length === 0 ? 'no route is configured' : `no route is known to do ${can.join(' and ')}`,
        )
      terminal.json({ routes: able })
      onStatus(able.length > 0 ? 0 : 1)
    })
}

function capabilityList(text: string): readonly Capability[] {
  return text.split(',').map((word) => {
    const name = word.trim().replaceAll('-', '_')
    const found = CAPABILITY_NAMES.find((known) => known === name)
    if (found !== undefined) return found
    const hint = suggestion(name, CAPABILITY_NAMES) || ` Known: ${CAPABILITY_NAMES.join(', ')}.`
    throw new InvalidArgumentError(`No capability is named ${JSON.stringify(word)}${hint}`)
  })
}
