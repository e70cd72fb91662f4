import type { Capability } from '../../providers/capabilities/capability.ts'
import type { ProviderRuntime } from '../../providers/runtime.ts'
import type { ScenarioName } from './names.ts'
import type { Scenario } from './scenarios.ts'

export type PassedOver = {
  readonly scenario: ScenarioName
  readonly model: string
  /** In words, for people. */
  readonly why: string
}

export type Choice = {
  readonly runs: readonly { readonly scenario: Scenario; readonly model: string }[]
  readonly passedOver: readonly PassedOver[]
}

type Models = Pick<ProviderRuntime, 'routes' | 'capabilities'>

/**
 * Which scenarios run on which models. Of the configured aliases those of which a route is known to be able; a model
 * that is named (`only`) is passed over only where all its routes are known not to be.
 */
export function chooseRuns(
  models: Models,
  scenarios: readonly Scenario[],
  only: readonly string[] = [],
): Choice {
  const aliases = [...new Set(models.routes().flatMap((route) => route.aliases))]
  const isNamed = only.length > 0
  const pairs = (isNamed ? only : aliases).flatMap((model) =>
    scenarios.map((scenario) => ({ scenario, model, lack: lackOf(models, model, scenario.needs) })),
  )
  return {
    runs: pairs.flatMap(({ lack, ...pair }) => (mayRun(lack, isNamed) ? [pair] : [])),
    passedOver: pairs.flatMap(({ lack, scenario, model }) =>
      mayRun(lack, isNamed) ? [] : [{ scenario: scenario.name, model, why: whyText(lack) }],
    ),
  }
}

/** What the best route of a model lacks, or may lack; undefined where it can. */
type Lack =
  | { readonly type: 'lacks' | 'unknown'; readonly capability: Capability }
  | { readonly type: 'no_route' }

const mayRun = (lack: Lack | undefined, isNamed: boolean): boolean =>
  lack === undefined || (isNamed && lack.type === 'unknown')

function lackOf(models: Models, model: string, needs: readonly Capability[]): Lack | undefined {
  const own = models.routes().filter(({ aliases }) => aliases.includes(model))
  const names = own.length > 0 ? own.map(({ name }) => name) : [model]
  const lacks = names.map((name) => lackOfRoute(models, name, needs))
  if (lacks.includes(undefined)) return undefined
  return lacks.find((lack) => lack?.type === 'unknown') ?? lacks[0]
}

function lackOfRoute(models: Models, route: string, needs: readonly Capability[]): Lack | undefined {
  const can = models.capabilities(route)
  if (can === undefined) return { type: 'no_route' }
  const missing = needs.find((capability) => can[capability].can === false)
  if (missing !== undefined) return { type: 'lacks', capability: missing }
  const unknown = needs.find((capability) => can[capability].can === null)
  return unknown && { type: 'unknown', capability: unknown }
}

function whyText(lack: Lack | undefined): string {
  if (lack === undefined) return ''
  if (lack.type === 'no_route') return 'it leads to no route'
  if (lack.type === 'lacks') return `no route of it has ${lack.capability}`
  return `nobody has said that a route of it has ${lack.capability}; name it with --model to try`
}
