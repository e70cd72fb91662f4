/** One logical call as the engine has it while it runs, and the world that it runs in. */

import type { RouteConfig, RoutingConfig } from '../../../config/config.ts'
import type { AttemptSummary, TurnkeeperError } from '../../../errors.ts'
import type { Telemetry } from '../../../telemetry/telemetry.ts'
import type { RouteCapabilities } from '../../capabilities/capability.ts'
import type { Price } from '../../models/model-info.ts'
import type { Lesson, StreamPolicy } from '../../policy.ts'
import type { Recorder } from '../../recorder/recorder.ts'
import type { ModelRequest, PartSink } from '../../types.ts'
import type { AttemptReport, Upstream } from '../../upstream.ts'
import type { RouteHealth } from '../breaker/mirror.ts'
import type { Decision, EngineOptions } from '../engine-types.ts'
import type { RetryBudget } from '../measures/retry-budget.ts'
import type { Mitigation } from '../mitigation/detour.ts'
import type { Profiles } from '../probes/profiles.ts'
import type { RouteTable } from '../route-table.ts'
import type { Router } from '../router.ts'
import type { MeansWorld } from './means.ts'

/** Where the engine tells how routes did: `Health`, or a scripted one. */
export type HealthSink = {
  view(route: string): RouteHealth
  report(route: string, generation: number, failure?: TurnkeeperError['reason']): void
  rerouted(route: string, generation: number): void
}

export type AttemptEngineDependencies = Omit<MeansWorld, 'health'> & {
  readonly router: Router
  readonly table: RouteTable
  readonly health: HealthSink
  readonly upstreamOf: (route: string) => Upstream | undefined
  readonly knowledge?: RouteKnowledge
  /** Where calls go whose alias has moved. Default: nothing moves. */
  readonly mitigation?: Mitigation
  readonly config: RoutingConfig
  readonly telemetry: Telemetry
  /** What is shown of how routes can be asked, and who learns from what happens. Default: nothing, nobody. */
  readonly profiles?: Pick<Profiles, 'shownOf' | 'saw'>
  /** Keeps the evidence of attempts. Default: nobody does. */
  readonly record?: Recorder['record']
  /** Monotonic milliseconds. Default `performance.now`. */
  readonly clock?: () => number
  /** 0 to 1; for the jitter of backoff. Default `Math.random`. */
  readonly random?: () => number
  /** Resolves to false when `signal` ended the wait. */
  readonly sleep?: (ms: number, signal: AbortSignal | undefined) => Promise<boolean>
}

/** What is known of routes besides their health. All of it is optional: an engine without it asks every route alike. */
export type RouteKnowledge = {
  readonly policyOf?: (route: RouteConfig) => StreamPolicy
  readonly capabilitiesOf?: (route: RouteConfig) => RouteCapabilities
  readonly priceOf?: (route: RouteConfig) => Price | undefined
  /**
   * The route that a bare model name means; undefined where no provider has it. Throws TurnkeeperError where several
   * have it.
   */
  readonly routeOfModel?: (model: string) => Promise<string | undefined>
}

export type World = Required<Omit<AttemptEngineDependencies, keyof MeansWorld>> &
  Pick<AttemptEngineDependencies, keyof MeansWorld> & { readonly budget: RetryBudget }

/** One logical call under way. */
export type Call = {
  readonly world: World
  /** As it is to be sent: preflight may have changed it. */
  request: ModelRequest
  readonly emit: PartSink
  readonly options: EngineOptions
  /** By the engine's clock. */
  readonly deadlineAt: number
  readonly attempts: AttemptSummary[]
  readonly decisions: Decision[]
  /** What attempts have taught of their routes; undefined while nothing. */
  lessons: Map<string, Set<Lesson>> | undefined
  /** Credentials that have failed this call, by provider; undefined while none has. */
  failedCredentials: Map<string, Set<string>> | undefined
  /** Routes that cannot serve the request; undefined before that is known. */
  unfit: ReadonlyMap<string, TurnkeeperError> | undefined
  firstError: TurnkeeperError | undefined
  last: AttemptReport | undefined
}

/** A call that has done nothing yet. */
export function openCall(
  world: World,
  { request, emit, options }: Pick<Call, 'request' | 'emit' | 'options'>,
): Call {
  const { deadlineMs = Number.POSITIVE_INFINITY } = options
  return {
    world,
    request,
    emit,
    options,
    deadlineAt: world.clock() + deadlineMs,
    attempts: [],
    decisions: [],
    lessons: undefined,
    failedCredentials: undefined,
    unfit: undefined,
    firstError: undefined,
    last: undefined,
  }
}

/** Keeps what an attempt has taught of its route. */
export function learn(call: Call, route: string, lesson: Lesson): void {
  call.lessons ??= new Map()
  call.lessons.set(route, new Set(call.lessons.get(route)).add(lesson))
}

/** Keeps the credential of a provider from being tried again by this call. */
export function passOverCredential(call: Call, provider: string, credential: string): void {
  call.failedCredentials ??= new Map()
  call.failedCredentials.set(provider, new Set(call.failedCredentials.get(provider)).add(credential))
}

/** Keeps a decision, and tells the caller. */
export function note({ decisions, options }: Call, decision: Decision): void {
  decisions.push(decision)
  options.onDecision?.(decision)
}

/** Whether the call's deadline has passed. */
export function isLate({ world, deadlineAt }: Call): boolean {
  return world.clock() >= deadlineAt
}

/** What setTimeout can hold; more would fire at once. */
const LONGEST_TIMER_MS = 2 ** 31 - 1

/** Aborts after so many milliseconds, at once if they are none. */
export function timeout(ms: number): AbortSignal {
  return AbortSignal.timeout(Math.round(Math.min(LONGEST_TIMER_MS, Math.max(0, ms))))
}
