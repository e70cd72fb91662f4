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
import type { Places } from '../choice/places.ts'
import type { Credentials, TakenCredential } from '../credentials/credentials.ts'
import type { HealthScores } from '../measures/health-score.ts'
import type { Speeds } from '../measures/speed.ts'

export type Means = {
  /** Id of the credential; undefined where the provider needs none. */
  readonly credential: string | undefined
  /** What is sent as the key; undefined where the upstream has its own or needs none. */
  token(): Promise<string | undefined>
  /** Gives back what was taken and tells what happened. `renewed`: the token was refused, and there is a new one. */
  settle(report: AttemptReport, generation: number): Promise<'renewed' | undefined>
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

/** Waits for a place, then takes a credential; undefined when the wait was ended. */
export async function takeMeans(
  world: MeansWorld,
  { name, provider }: RouteConfig,
  { signal, except }: TakeMeansOptions,
): Promise<Means | undefined> {
  const leave = world.places === undefined ? () => {} : await world.places.take(provider, signal)
  if (leave === undefined) return undefined
  const { credentials } = world
  // The one to try has been decided upon by whoever calls: where none is ready, the least bad one goes.
  const credential =
    credentials?.take(provider, { ...(except && { except }) }) ??
    credentials?.take(provider, { lastResort: true })
  world.speeds?.began(name)
  return {
    credential: credential?.id,
    token: async () => credential?.token(),
    async settle(report, generation) {
      leave()
      world.speeds?.ended(name, report)
      return learn(world, { report, generation, credential })
    },
  }
}

type Lesson = {
  readonly report: AttemptReport
  readonly generation: number
  readonly credential: TakenCredential | undefined
}

async function learn(
  { health, scores }: MeansWorld,
  { report, generation, credential }: Lesson,
): Promise<'renewed' | undefined> {
  const { route, outcome, error } = report
  const renewed = await credential?.settle(report, { generation })
  if (outcome === 'cancelled' || renewed) return renewed
  if (error === undefined) scores?.succeeded(route)
  else if (error.category === 'server' || error.category === 'network') scores?.failed(route, error.reason)
  // A refused credential answers for itself, unless it turns out to be an outage.
  if (credential === undefined || error === undefined || !isRefusal(error.reason)) {
    health.report(route, generation, error?.reason)
  }
  return undefined
}
