import type { RoutingConfig } from '../../config/config.ts'
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
  /** 0 to 1. */
  readonly random: () => number
}

/**
 * Retry, reroute or stop. Before the commit point the same route comes first, once; after it another one does, since
 * what broke in the middle of an answer tends to break again. A route whose health is worse than that of the failed
 * one is taken only when nothing else is left.
 */
export function nextAttempt(failed: FailedAttempt, options: NextAttemptOptions): NextAttempt {
  const { error, isCommitted, attempts } = failed
  if (error.category === 'turn' || attempts.length >= options.config.maxAttempts) return { type: 'stop' }
  const retry = retrySameRoute(failed, options)
  const to = REASONS[error.reason].otherRoute === 'yes' ? otherRoute(failed, options.choice) : undefined
  const reroute = to && ({ type: 'reroute', to } as const)
  // A used-up limit is waited for only when nothing else serves.
  const isRerouteFirst = isCommitted || error.category === 'rate_limit'
  return (isRerouteFirst ? (reroute ?? retry) : (retry ?? reroute)) ?? { type: 'stop' }
}

function retrySameRoute(
  { error, candidate, attempts }: FailedAttempt,
  { config, choice, random }: NextAttemptOptions,
): NextAttempt | undefined {
  const { name } = candidate.route
  const made = attempts.filter(({ route }) => route === name).length
  if (made > mostRetries(error, config) || !offers(choice, name)) return undefined
  const { baseMs, maxMs } = config.backoff
  const asked = error.retryAfterMs
  // Sooner than it asked for would fail again, and longer than our own limit nobody waits.
  if (asked !== undefined) return asked <= maxMs ? { type: 'retry', delayMs: asked } : undefined
  return { type: 'retry', delayMs: random() * Math.min(maxMs, baseMs * 2 ** (made - 1)) }
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

function otherRoute({ candidate, attempts }: FailedAttempt, choice: Choice): Candidate | undefined {
  if (choice.kind === 'none' || choice.isLastResort) return undefined
  const untried = choice.candidates.filter(({ route }) => attempts.every((made) => made.route !== route.name))
  const rank = rankOf(candidate.health.state)
  return untried.find(({ health }) => rankOf(health.state) <= rank) ?? untried[0]
}

function offers(choice: Choice, name: string): boolean {
  return choice.kind === 'routes' && choice.candidates.some(({ route }) => route.name === name)
}
