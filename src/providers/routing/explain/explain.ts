/** Which routes would serve a request now, why not the others, and what would follow, in words; nothing is sent. */

import type { RoutingConfig } from '../../../config/config.ts'
import { suggestion } from '../../../config/problems.ts'
import { TurnkeeperError } from '../../../errors.ts'
import type { Capability } from '../../capabilities/capability.ts'
import type { RouteKnowledge } from '../engine/call.ts'
import type { Detours, Segmented } from '../mitigation/detour.ts'
import { unfitFor } from '../preflight.ts'
import type { RouteTable } from '../route-table.ts'
import type { ChooseOptions, Explanation, Router } from '../router.ts'

export type ExplainOptions = ChooseOptions &
  Segmented & {
    /** What the request would need of a route: `tools`, `vision`. */
    readonly needs?: readonly Capability[]
  }

export type RouteExplanation = Explanation & {
  readonly needs: readonly Capability[]
  /** What would be tried, in which order, how often, in words. */
  readonly next: string
}

export type ExplainWorld = {
  readonly table: RouteTable
  readonly router: Pick<Router, 'choose'>
  readonly mitigation: Pick<Detours, 'aliasNow' | 'explain'>
  readonly knowledge: RouteKnowledge
  readonly config: Pick<RoutingConfig, 'retries' | 'maxAttempts'>
}

/**
 * Explains `model`, an alias, a route or a bare model name; undefined for a name that leads nowhere.
 * @throws TurnkeeperError where several providers have a model of that bare name.
 */
export async function explainModel(
  { table, router, mitigation, knowledge, config }: ExplainWorld,
  model: string,
  { needs = [], ...call }: ExplainOptions = {},
): Promise<RouteExplanation | undefined> {
  const name = table.find(model) === undefined ? await knowledge.routeOfModel?.(model) : model
  const alias = name === undefined ? undefined : table.find(name)
  if (name === undefined || alias === undefined) return undefined
  const unfit = unfitFor(needs, alias.routes, knowledge.capabilitiesOf)
  const options = { ...call, unfit: new Map([...unfit, ...(call.unfit ?? [])]) }
  const explanation = mitigation.explain(name, options)
  if (explanation === undefined) return undefined
  const queued = router.choose(mitigation.aliasNow(name, call), { ...options, whenAllOpen: 'wait' })
  const waitMs = queued.kind === 'none' ? queued.nextProbeInMs : undefined
  return { ...explanation, model, needs, next: nextText(explanation, { config, waitMs }) }
}

/** For those who ask about a name that leads nowhere. */
export function unknownModel(model: string, aliases: readonly string[]): TurnkeeperError {
  const name = model.slice(0, 200)
  const hint = suggestion(name, aliases) || ` (aliases: ${aliases.join(', ') || 'none'})`
  const expected =
    'expected an alias, a provider/model of an enabled provider, or a model that one of them lists'
  return new TurnkeeperError(
    'model_not_found',
    `${JSON.stringify(name)} leads to no route${hint}: ${expected}`,
  )
}

function nextText(
  { candidates }: Explanation,
  { config, waitMs }: { config: ExplainWorld['config']; waitMs: number | undefined },
): string {
  const tried = candidates.filter(({ place }) => place !== null).map(({ route }) => route)
  const wait = waitMs === undefined ? '' : `a queued turn waits ${Math.ceil(waitMs / 1000)} s for a probe`
  if (tried.length === 0) return wait === '' ? 'no route can serve this' : `nothing now: ${wait}`
  const { retries, maxAttempts } = config
  const order = `${tried.join(', then ')}${tried.length === 1 ? ' alone' : ''}`
  const often = `${retries === 1 ? '1 retry' : `${retries} retries`} a route, at most ${maxAttempts} attempts`
  return wait === '' ? `${order}; ${often}` : `a direct call tries ${order}; ${wait} instead`
}
