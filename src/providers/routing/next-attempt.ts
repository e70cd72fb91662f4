import type { RouteConfig, RoutingConfig } from '../../config/config.ts'
import { type AttemptSummary, REASONS, type TurnkeeperError } from '../../errors.ts'
import { rankOf } from './breaker/states.ts'
import type { Candidate, Choice } from './router.ts'

/** What follows a failed attempt. */
export type NextAttempt =
  | { readonly type: 'stop' }
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
}

export type NextAttemptOptions = {
  readonly config: RoutingConfig
  /** The router's choice of now. */
  readonly choice: Choice
  /** Tokens; null where it is not known. Default: of no route. */
  readonly windowOf?: (route: RouteConfig) => number | null
  /** 0 to 1. */
  readonly random: () => number
}

/**
 * Retry, reroute or stop. Before the commit point the same route comes first, once; after it another one does, since
 * what broke in the middle of an answer tends to break again. A route whose health is worse than that of the failed
 * one is taken only when nothing else is left, and what an upstream asks to wait is waited only when nothing else
 * serves.
 */
export function nextAttempt(failed: FailedAttempt, options: NextAttemptOptions): NextAttempt {
  const { error, isCommitted, attempts } = failed
  const stop: NextAttempt = { type: 'stop' }
  if (error.category === 'turn' || attempts.length >= options.config.maxAttempts) return stop
  const retry = retrySameRoute(failed, options)
  const { asGood, any } = otherRoutes(failed, options)
  if (error.category === 'rate_limit' || retry?.isLong) return asGood ?? any ?? retry?.attempt ?? stop
  if (isCommitted) return asGood ?? retry?.attempt ?? any ?? stop
  return retry?.attempt ?? asGood ?? any ?? stop
}

/** `isLong`: the upstream asked for a longer wait than our own backoff would be. */
type Retry = { readonly attempt: NextAttempt; readonly isLong: boolean }

function retrySameRoute(
  { error, candidate, attempts }: FailedAttempt,
  { config, choice, random }: NextAttemptOptions,
): Retry | undefined {
  const { name } = candidate.route
  const made = attempts.filter(({ route }) => route === name).length
  if (made > mostRetries(error, config) || !offers(choice, name)) return undefined
  const { baseMs, maxMs } = config.backoff
  const ownMs = Math.min(maxMs, baseMs * 2 ** (made - 1))
  const { retryAfterMs: asked } = error
  if (asked === undefined) return { attempt: { type: 'retry', delayMs: random() * ownMs }, isLong: false }
  // Sooner than it asked for would fail again, and longer than our own limit nobody waits.
  return asked <= maxMs ? { attempt: { type: 'retry', delayMs: asked }, isLong: asked > ownMs } : undefined
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
