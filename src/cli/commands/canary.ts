import { Argument } from 'commander'
import type { Config } from '../../config/config.ts'
import { suggestion } from '../../config/problems.ts'
import { TurnkeeperError } from '../../errors.ts'
import type { ProviderRuntime } from '../../providers/runtime.ts'
import { SCENARIO_NAMES } from '../../runtime/canary/names.ts'
import type { CanaryRun } from '../../runtime/canary/run.ts'
import type { Scenario } from '../../runtime/canary/scenarios.ts'
import { type AddCommand, type CommandContext, example, type GlobalOptions } from '../command.ts'
import { openOnlooker } from '../onlooker.ts'
import { requireConfig } from '../settings.ts'
import { listenForHangUps, listenForSignals } from '../signals.ts'
import { duration, word } from '../values.ts'

type CanaryFlags = GlobalOptions & {
  readonly model?: readonly string[]
  /** Already in milliseconds. */
  readonly every?: number
}

/** `turnkeeper canary`: scenarios that must always work, once or again and again. */
export const canaryCommand: AddCommand = (parent, context) => {
  parent
    .command('canary')
    .addArgument(new Argument('[scenarios...]', 'which (default: all)').choices(SCENARIO_NAMES))
    .description('run small real scenarios through the aliases and tell which work')
    .option(
      '--model <name>',
      'alias or provider/model, again for more (default: every alias that is known to be able)',
      (name: string, before: readonly string[] = []) => [...before, word(name)],
    )
    .option('--every <duration>', 'again and again, with metrics, until Ctrl-C; SIGHUP reloads', duration)
    .addHelpText(...example('turnkeeper canary tools --model coder'))
    .action(async (names: readonly string[], _options, command) => {
      const flags = command.optsWithGlobals() as CanaryFlags
      const { SCENARIOS } = await import('../../runtime/canary/scenarios.ts')
      const chosen = SCENARIO_NAMES.filter((name) => names.length === 0 || names.includes(name))
      const scenarios = chosen.map((name) => SCENARIOS[name])
      const config = await requireConfig(flags)
      if (flags.every === undefined) await runOnce(config, { scenarios, flags, context })
      else await runEvery(config, { scenarios, flags, context, everyMs: flags.every })
    })
}

type Asked = {
  readonly scenarios: readonly Scenario[]
  readonly flags: CanaryFlags
  readonly context: CommandContext
}

async function runOnce(config: Config, { scenarios, flags, context }: Asked): Promise<void> {
  const { terminal, onStatus } = context
  using stop = listenForSignals()
  await using opened = new AsyncDisposableStack()
  const models = await openOnlooker(config, opened)
  checkNames(config, flags, models)
  const { chooseRuns } = await import('../../runtime/canary/choice.ts')
  const { runScenario } = await import('../../runtime/canary/run.ts')
  const { canarySumText, canaryTableText, passedOverText } = await import('../canary/canary-text.ts')
  const { runs: chosen, passedOver } = chooseRuns(models, scenarios, flags.model)
  for (const one of passedOver) terminal.note(terminal.dim(passedOverText(one)))
  const runs: CanaryRun[] = []
  for (const pair of chosen) {
    if (stop.signal.aborted) break
    terminal.note(terminal.dim(`running ${pair.scenario.name} on ${pair.model}`))
    runs.push(await runScenario(models, pair, { signal: stop.signal }))
  }
  if (runs.length > 0) terminal.print(canaryTableText(runs))
  terminal.note(chosen.length === 0 ? 'nothing was run: no alias can' : canarySumText(runs))
  terminal.json({ runs, passedOver })
  const isFinding = chosen.length === 0 || runs.some(({ result }) => result === 'failed')
  onStatus(stop.status() || (isFinding ? 1 : 0))
}

async function runEvery(
  config: Config,
  { scenarios, flags, context: { terminal }, everyMs }: Asked & { readonly everyMs: number },
): Promise<void> {
  using stop = listenForSignals()
  using hangUps = listenForHangUps()
  const { openCanary } = await import('../../runtime/canary/canary.ts')
  const load = (): Promise<Config> => requireConfig(flags)
  const { model: models } = flags
  await using canary = await openCanary(config, { scenarios, everyMs, load, ...(models && { models }) })
  checkNames(config, flags, canary)
  hangUps.handle(() => void canary.reload())
  const { redis, metricsUrl } = canary
  const names = scenarios.map(({ name }) => name)
  terminal.note(`canary runs ${names.join(', ')}; metrics at ${metricsUrl ?? 'no address'}`)
  terminal.json({ scenarios: names, everyMs, redis, metricsUrl: metricsUrl ?? null })
  await canary.run({ signal: stop.signal })
}

/** Throws `config/invalid_config` for a name that leads nowhere. */
function checkNames(
  { models }: Config,
  { model: names = [] }: CanaryFlags,
  { capabilities }: Pick<ProviderRuntime, 'capabilities'>,
): void {
  const aliases = Object.keys(models)
  for (const name of names) {
    if (capabilities(name) !== undefined) continue
    const hint = suggestion(name, aliases) || `: expected an alias (${aliases.join(', ')}) or provider/model`
    throw new TurnkeeperError('invalid_config', `${JSON.stringify(name)} leads to no route${hint}`)
  }
}
