/**
 * What an attempt needs besides a route: a place with its provider and a credential; and what it leaves behind: what
 * its outcome means for the route, the credential and the measures.
 *
 * waiting ──place and credential──▶ taken ──settle──▶ given back
 */

import type { RouteConfig } from '../../../config/config.ts'
import type { Reason } from '../../../errors.ts'
import type { AttemptReport } from '../../upstream.ts'
import { isRefusal } from '../breaker/rules.ts'
import type { Leave, Places } from '../choice/places.ts'
import type { Credentials, TakenCredential } from '../credentials/credentials.ts'
import type { HealthScores } from '../measures/health-score.ts'
import type { Speeds } from '../measures/speed.ts'

/** Taken by one attempt, and settled once. */
export type Means = {
  readonly leave: Leave
  /** Undefined where the provider needs none. */
  readonly credential: TakenCredential | undefined
}

export type MeansWorld = {
  readonly credentials?: Pick<Credentials, 'take' | 'standing'>
  readonly places?: Places
  readonly speeds?: Speeds
  readonly scores?: HealthScores
  readonly health: { report(route: string, generation: number, failure?: Reason): void }
}

export type TakeMeansOptions = {
  /** Ends the wait for a place. */
  readonly signal: AbortSignal | undefined
  /** Credentials that have failed this call already. */
  readonly except: ReadonlySet<string> | undefined
}

const NO_PLACE: Leave = () => {}

/** A place, then a credential; a promise only while all places are taken, of undefined when the wait was ended. */
export function takeMeans(
  world: MeansWorld,
  route: RouteConfig,
  { signal, except }: TakeMeansOptions,
): Means | Promise<Means | undefined> {
  const place = world.places === undefined ? NO_PLACE : world.places.take(route.provider, signal)
  if (typeof place === 'function') return equip(world, route, { leave: place, except })
  return place.then((leave) => leave && equip(world, route, { leave, except }))
}

type Equipping = { readonly leave: Leave; readonly except: TakeMeansOptions['except'] }

function equip(
  { credentials, speeds }: MeansWorld,
  { name, provider }: RouteConfig,
  { leave, except }: Equipping,
): Means {
  // The one to try has been decided upon by whoever calls: where none is ready, the least bad one goes.
  const credential =
    credentials?.take(provider, except && { except }) ?? credentials?.take(provider, LAST_RESORT)
  speeds?.began(name)
  return { leave, credential }
}

const LAST_RESORT = { lastResort: true } as const

/** What became of the attempt for which means were taken. */
export type Result = {
  readonly report: Pick<AttemptReport, 'route' | 'outcome' | 'error' | 'durationMs' | 'timeToFirstContentMs'>
  /** Of the route, when the attempt began. */
  readonly generation: number
}

/**
 * Gives back what was taken and tells what happened. `renewed`: the token was refused, and there is a new one; a promise
 * only where that has to be seen.
 */
export function settleMeans(
  world: MeansWorld,
  { leave, credential }: Means,
  result: Result,
): Promise<'renewed' | undefined> | undefined {
  const { report } = result
  leave()
  world.speeds?.ended(report.route, report)
  const settling = credential?.settle(report, result)
  if (settling !== undefined) {
    return settling.then((renewed) => {
      if (renewed === undefined) learn(world, result, credential)
      return renewed
    })
  }
  learn(world, result, credential)
  return undefined
}

function learn(
  { health, scores }: MeansWorld,
  { report, generation }: Result,
  credential: TakenCredential | undefined,
): void {
  const { route, outcome, error } = report
  if (outcome === 'cancelled') return
  if (error === undefined) scores?.succeeded(route)
  else if (error.category === 'server' || error.category === 'network') scores?.failed(route, error.reason)
  // A refused credential answers for itself, unless it turns out to be an outage.
  if (credential === undefined || error === undefined || !isRefusal(error.reason)) {
    health.report(route, generation, error?.reason)
  }
}
