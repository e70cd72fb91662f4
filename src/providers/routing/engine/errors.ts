/** The errors that the attempt engine itself raises: no attempt of a call could be made, or none more. */

import { TurnkeeperError } from '../../../errors.ts'
import type { Choice } from '../router.ts'

/** Nothing may be tried: the name leads nowhere, or every route of it is out. */
export function noRouteError(
  model: string | undefined,
  choice: Extract<Choice, { kind: 'none' }>,
): TurnkeeperError {
  const name = quoted(model)
  if (choice.reason === 'no_route') {
    const problem = `${name} is neither an alias nor a provider/model of an enabled provider that may serve this request`
    return new TurnkeeperError('no_route', `${problem}: add it under "models", or ask for one that is there`)
  }
  const { nextProbeInMs: retryAfterMs = 0 } = choice
  const seconds = Math.ceil(retryAfterMs / 1000)
  const problem = `no route of ${name} is usable: the next probe is sent in ${seconds} s`
  return new TurnkeeperError('breaker_open', problem, { retryAfterMs })
}

/** The time of the call is over, or too short for another attempt. */
export function deadlineError(attempts: readonly unknown[]): TurnkeeperError {
  const tried =
    attempts.length === 0 ? 'no route can answer in the time that is left' : 'no answer came in time'
  return new TurnkeeperError('deadline', `the deadline of the model call has passed: ${tried}`)
}

/** The provider's places stayed taken for the longest wait. */
export function noPlaceError(provider: string, waitedMs: number): TurnkeeperError {
  const problem = `all places of ${provider} were taken for ${Math.round(waitedMs / 1000)} s`
  return new TurnkeeperError(
    'overloaded',
    `${problem}: raise providers.${provider}.concurrency, or add a route`,
  )
}

/** How soon the budget has forgotten half of what was spent. */
const BUDGET_BACK_MS = 10_000

/** Something could be tried, but the alias has retried enough for now. */
export function budgetError(model: string | undefined, first: TurnkeeperError): TurnkeeperError {
  const problem = `the retries of ${quoted(model)} are used up for now, and the attempt failed: ${first.message}`
  const { provider, route, status, requestId, partial } = first
  return new TurnkeeperError('retry_budget', problem, {
    cause: first,
    retryAfterMs: BUDGET_BACK_MS,
    ...(provider !== undefined && { provider }),
    ...(route !== undefined && { route }),
    ...(status !== undefined && { status }),
    ...(requestId !== undefined && { requestId }),
    ...(partial !== undefined && { partial }),
  })
}

/** What a client asked for, so that it can be printed. */
function quoted(model = ''): string {
  return JSON.stringify(model.slice(0, 100))
}
