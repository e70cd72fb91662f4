import { describeConfig, describeConfigText } from '../../config/describe.ts'
import { TurnkeeperError } from '../../errors.ts'
import { neededFor } from '../../providers/capabilities/capability.ts'
import { unknownModel } from '../../providers/routing/explain/explain.ts'
import { type AddCommand, type CommandContext, example, type GlobalOptions } from '../command.ts'
import { isMissingFile } from '../failure.ts'
import { openInspection } from '../inspection.ts'
import { explanationText } from '../models/explanation-text.ts'
import { requireConfig } from '../settings.ts'

/** `turnkeeper config …`: what a configuration means. */
export const configCommand: AddCommand = (parent, context) => {
  const config = parent
    .command('config')
    .description('look at the configuration')
    .helpCommand(false)
    .addHelpText(...example('turnkeeper config check'))
  config
    .command('check')
    .description('say what the configuration means and what is wrong with it, agents included')
    .addHelpText(...example('turnkeeper config check --config turnkeeper.config.yaml'))
    .action(async (_options, command) => check(command.optsWithGlobals() as GlobalOptions, context))
  config
    .command('explain')
    .argument('<model>', 'an alias, a route written provider/model, or the name of a model')
    .description('say which routes would serve a model now, in which order, and why not the others')
    .option('--tools', 'as for a request with tools')
    .option('--images', 'as for a request with images')
    .addHelpText(...example('turnkeeper config explain coder --tools'))
    .action(async (model: string, _options, command) =>
      explain(model, command.optsWithGlobals() as ExplainFlags, context),
    )
}

type ExplainFlags = GlobalOptions & { readonly tools?: boolean; readonly images?: boolean }

async function explain(
  model: string,
  flags: ExplainFlags,
  { terminal, onStatus }: CommandContext,
): Promise<void> {
  const config = await requireConfig(flags)
  await using inspection = await openInspection(config, terminal)
  const { tools = false, images = false } = flags
  const explanation = await inspection.explain(model, { needs: neededFor({ tools, images }) })
  if (explanation === undefined) throw unknownModel(model, Object.keys(config.models))
  terminal.print(explanationText(explanation))
  terminal.json(explanation)
  onStatus(explanation.candidates.some(({ chosen }) => chosen) ? 0 : 1)
}

async function check(options: GlobalOptions, { terminal, onStatus }: CommandContext): Promise<void> {
  try {
    const config = await requireConfig(options)
    const description = describeConfig(config)
    terminal.print(describeConfigText(description))
    const { checkAgents, agentListText } = await import('../agents-check.ts')
    const { defaultsFindings } = await import('../parameters-check.ts')
    const { agents, findings: ofAgents } = await checkAgents(config)
    const findings = [...defaultsFindings(config), ...ofAgents]
    if (agents.length > 0) terminal.print(agentListText(agents))
    for (const finding of findings) terminal.note(terminal.red(`finding: ${finding}`))
    terminal.note(findings.length === 0 ? 'nothing is wrong with it' : `findings: ${findings.length}`)
    terminal.json({ ok: findings.length === 0, findings, config: description, agents })
    onStatus(findings.length === 0 ? 0 : 1)
  } catch (error) {
    // a configuration that is wrong is what this command looks for; one that is not there is wrong usage
    if (!(error instanceof TurnkeeperError) || error.category !== 'config' || isMissingFile(error))
      throw error
    terminal.note(terminal.red(error.message))
    terminal.json({ error: error.toJSON() })
    onStatus(1)
  }
}
