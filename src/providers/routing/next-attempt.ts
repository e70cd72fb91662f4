import type { RouteConfig, RoutingConfig } from '../../config/config.ts'
import { type AttemptSummary, REASONS, type TurnkeeperError } from '../../errors.ts'
import { rankOf } from './breaker/states.ts'
import type { Candidate, Choice } from './router.ts'

/** What follows a failed attempt. */
export type NextAttempt =
  /** `isBudgetSpent`: something could be tried, but the alias has retried enough. */
  | { readonly type: 'stop'; readonly isBudgetSpent?: boolean }
  /** The same route with another credential, at once. */
  | { readonly type: 'rotate' }
  | { readonly type: 'retry'; readonly delayMs: number }
  | { readonly type: 'reroute'; readonly to: Candidate }

export type FailedAttempt = {
  readonly error: TurnkeeperError
  /** Whether parts of it have been handed on. */
  readonly isCommitted: boolean
  /** The route on which it failed, as it stands now. */
  readonly candidate: Candidate
  /** All attempts of the call, this one last. */
  readonly attempts: readonly Pick<AttemptSummary, 'route'>[]
  /** How many of them on this route were made only to try another credential. Default 0. */
  readonly rotations?: number
  /** The route has a credential that this call has not tried. */
  readonly canRotate?: boolean
}

export type NextAttemptOptions = {
  readonly config: RoutingConfig
  /** The router's choice of now. */
  readonly choice: Choice
  /** Tokens; null where it is not known. Default: of no route. */
  readonly windowOf?: (route: RouteConfig) => number | null
  /** 0 to 1. */
  readonly random: () => number
  /** The alias has made as many further attempts as it may. */
  readonly isBudgetSpent?: boolean
  /** Time that is left for the call. Default: any. */
  readonly leftMs?: number
}

/**
 * Retry, reroute or stop. Before the commit point the same route comes first, once; after it another one does, since
 * what broke in the middle of an answer tends to break again. A route whose health is worse than that of the failed
 * one is taken only when nothing else is left, and what an upstream asks to wait is waited only when nothing else
 * serves. Where a credential is at fault, another one of the same route comes before all else. With its budget spent an
 * alias still moves to a route that is as good, once a call: that carries load away instead of adding it.
 */
export function nextAttempt(failed: FailedAttempt, options: NextAttemptOptions): NextAttempt {
  const { error, isCommitted, attempts, canRotate = false } = failed
  const stop: NextAttempt = { type: 'stop' }
  if (error.category === 'turn' || attempts.length >= options.config.maxAttempts) return stop
  const isAboutCredential = error.category === 'rate_limit' || error.category === 'auth'
  if (isAboutCredential && canRotate) return { type: 'rotate' }
  const retry = retrySameRoute(failed, options)
  const { asGood, any } = otherRoutes(failed, options)
  const same = retry?.attempt
  const isSlow = error.category === 'rate_limit' || retry?.isLong
  const inOrder = isSlow ? [asGood, any, same] : isCommitted ? [asGood, same, any] : [same, asGood, any]
  const next = inOrder.find((attempt) => attempt !== undefined)
  if (next === undefined) return stop
  if (!options.isBudgetSpent) return next
  const isFirstMove = attempts.every(({ route }) => route === failed.candidate.route.name)
  return (isFirstMove && asGood) || { type: 'stop', isBudgetSpent: true }
}

/** `isLong`: the upstream asked for a longer wait than our own backoff would be. */
type Retry = { readonly attempt: NextAttempt; readonly isLong: boolean }

function retrySameRoute(
  { error, candidate, attempts, rotations = 0 }: FailedAttempt,
  { config, choice, random, leftMs = Number.POSITIVE_INFINITY }: NextAttemptOptions,
): Retry | undefined {
  const { name } = candidate.route
  const made = attempts.filter(({ route }) => route === name).length - rotations
  if (made > mostRetries(error, config) || !offers(choice, name)) return undefined
  const { baseMs, maxMs } = config.backoff
  const ownMs = Math.min(maxMs, baseMs * 2 ** (made - 1), leftMs)
  const { retryAfterMs: asked } = error
  if (asked === undefined) return { attempt: { type: 'retry', delayMs: random() * ownMs }, isLong: false }
  // Sooner than it asked for would fail again, and longer than our own limit nobody waits.
  return asked <= Math.min(maxMs, leftMs)
    ? { attempt: { type: 'retry', delayMs: asked }, isLong: asked > ownMs }
    : undefined
}

function mostRetries(
  { reason, category, retryAfterMs }: TurnkeeperError,
  { retries }: RoutingConfig,
): number {
  if (category === 'rate_limit') return retryAfterMs === undefined ? 0 : retries
  switch (REASONS[reason].sameRoute) {
    case 'yes':
      return retries
    case 'once':
      return Math.min(1, retries)
    case 'no':
      return 0
  }
}

type Others = { readonly asGood?: NextAttempt; readonly any?: NextAttempt }

/** Routes that this call has not tried: the first whose health is no worse, and the first of all. */
function otherRoutes(
  { error, candidate, attempts }: FailedAttempt,
  { choice, windowOf = () => null }: NextAttemptOptions,
): Others {
  const { otherRoute } = REASONS[error.reason]
  if (otherRoute === 'no' || choice.kind === 'none' || choice.isLastResort) return {}
  const window = windowOf(candidate.route)
  const isLarger = ({ route }: Candidate): boolean => window !== null && (windowOf(route) ?? 0) > window
  const untried = choice.candidates
    .filter(({ route }) => attempts.every((made) => made.route !== route.name))
    .filter((other) => otherRoute === 'yes' || isLarger(other))
  const rank = rankOf(candidate.health.state)
  const asGood = untried.find(({ health }) => rankOf(health.state) <= rank)
  const [any] = untried
  return {
    ...(asGood && { asGood: { type: 'reroute', to: asGood } }),
    ...(any && { any: { type: 'reroute', to: any } }),
  }
}

function offers(choice: Choice, name: string): boolean {
  return choice.kind === 'routes' && choice.candidates.some(({ route }) => route.name === name)
}
