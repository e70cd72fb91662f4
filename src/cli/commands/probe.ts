import { setTimeout as sleep } from 'node:timers/promises'
import type { Config, RouteConfig } from '../../config/config.ts'
import { suggestion } from '../../config/problems.ts'
import { TurnkeeperError } from '../../errors.ts'
import type { ProviderRuntime } from '../../providers/runtime.ts'
import { type AddCommand, type CommandContext, example, type GlobalOptions } from '../command.ts'
import { openOnlooker } from '../onlooker.ts'
import type { ProbedRoute } from '../probes/probe-text.ts'
import { requireConfig } from '../settings.ts'
import { listenForSignals } from '../signals.ts'

type ProbeOptions = { readonly refresh?: boolean }

/** `turnkeeper probe`: how routes can be asked. What the fleet knows is shown, what it does not know is tried out. */
export const probeCommand: AddCommand = (parent, context) => {
  parent
    .command('probe')
    .argument('[routes...]', 'provider/model of an alias (default: all)')
    .description('try out how routes can be asked: streamed, with tools, in JSON mode')
    .option('--refresh', 'try out everything anew, whatever is known')
    .addHelpText(...example('turnkeeper probe openrouter/z-ai/glm-4.6'))
    .action(async (routes: readonly string[], _options, command) =>
      probe(command.optsWithGlobals() as GlobalOptions & ProbeOptions, routes, context),
    )
}

async function probe(
  { refresh = false, ...options }: GlobalOptions & ProbeOptions,
  names: readonly string[],
  { terminal, onStatus }: CommandContext,
): Promise<void> {
  const config = await requireConfig(options)
  const routes = await chosenRoutes(config, names)
  const { routeUses } = await import('../probes/route-uses.ts')
  const useOf = await routeUses(config)
  using stop = listenForSignals()
  await using opened = new AsyncDisposableStack()
  const runtime = await openOnlooker(config, opened)
  const { findingsOf, mannerOf } = await import('../../providers/routing/probes/findings.ts')
  const { cellName } = await import('../../providers/routing/probes/cells.ts')
  const { policyOfRoute } = await import('../../providers/policy.ts')
  const { findingText, probeTableText } = await import('../probes/probe-text.ts')

  const probeOne = async (route: RouteConfig): Promise<ProbedRoute> => {
    terminal.note(terminal.dim(`probing ${route.name}`))
    const run = await probeWhenFree(runtime, route, { refresh, signal: stop.signal })
    const profile = runtime.probes.profileOf(route.name)
    const policy = policyOfRoute(config, route)
    const names = runtime.probes.cellsOf(route).map(cellName)
    return {
      route: route.name,
      aliases: runtime.routes().find(({ name }) => name === route.name)?.aliases ?? [],
      cells: Object.fromEntries([...names.map((name) => [name, null]), ...profile]),
      manner: mannerOf(profile, policy),
      findings: findingsOf(profile, { policy, use: useOf(route.name) }),
      ...{ sent: run.sent, costUsd: run.costUsd, stopped: run.stopped ?? null },
    }
  }
  const probed: ProbedRoute[] = []
  for (const route of routes) if (!stop.signal.aborted) probed.push(await probeOne(route))
  const spentUsd = await runtime.probes.spentUsd()
  const { budgetUsdPerDay } = config.probes

  terminal.print(probeTableText(probed))
  const findings = probed.flatMap((one) => one.findings.map((finding) => findingText(one.route, finding)))
  for (const finding of findings) terminal.note(terminal.red(`finding: ${finding}`))
  for (const { route, stopped } of probed) if (stopped) terminal.note(`${route}: ${WHY_STOPPED[stopped]}`)
  const sent = probed.reduce((sum, one) => sum + one.sent, 0)
  terminal.note(
    `${sent} requests; $${spentUsd.toFixed(4)} of $${budgetUsdPerDay} spent today by the whole fleet`,
  )
  terminal.json({ routes: probed, findings, spentUsd, budgetUsdPerDay })
  onStatus(stop.status() || (findings.length > 0 ? 1 : 0))
}

const WHY_STOPPED: Readonly<Record<string, string>> = {
  budget: 'the budget of today has no room for more (probes.budgetUsdPerDay)',
  busy: 'another process probes it; try again in a minute',
  closed: 'interrupted',
}

/** The routes that are named, or all. Throws `config/invalid_config` for one that stands in no alias. */
async function chosenRoutes(config: Config, names: readonly string[]): Promise<readonly RouteConfig[]> {
  const { createRouteTable } = await import('../../providers/routing/route-table.ts')
  const { routes } = createRouteTable(config)
  if (routes.length === 0) throw new TurnkeeperError('invalid_config', 'models: there is no route to probe')
  if (names.length === 0) return routes
  return [...new Set(names)].map((name) => {
    const route = routes.find((known) => known.name === name)
    if (route !== undefined) return route
    const known = routes.map((one) => one.name)
    const hint = suggestion(name, known) || `: expected one of ${known.join(', ')}`
    throw new TurnkeeperError('invalid_config', `${JSON.stringify(name)} is no route of an alias${hint}`)
  })
}

const BUSY_TRIES = 30

/** A worker that probes the route just now is waited for: what it finds need not be asked again. */
async function probeWhenFree(
  { probes }: ProviderRuntime,
  route: RouteConfig,
  { refresh, signal }: { readonly refresh: boolean; readonly signal: AbortSignal },
) {
  let run = await probes.probe(route, { refresh, signal })
  for (let tries = 1; run.stopped === 'busy' && tries < BUSY_TRIES && !signal.aborted; tries++) {
    await sleep(1000, undefined, { signal }).catch(() => {})
    run = await probes.probe(route, { refresh, signal })
  }
  return run
}
