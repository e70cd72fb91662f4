/** How a call ends: the last part, and the outcome. */

import { TurnkeeperError, withDetails } from '../../../errors.ts'
import { createCollector } from '../../collect.ts'
import { sumCosts } from '../../models/pricing.ts'
import type { Answer } from '../../types.ts'
import type { RunOutcome } from '../engine-types.ts'
import type { Call } from './call.ts'

/** Ends a call whose caller wants it no more. */
export function cancel(call: Call): RunOutcome {
  const error =
    call.last?.error?.reason === 'cancelled'
      ? call.last.error
      : new TurnkeeperError('cancelled', 'the model call was cancelled')
  return end(call, 'cancelled', error)
}

/** Ends a call with its cause. */
export function fail(call: Call, error: TurnkeeperError): RunOutcome {
  return end(call, 'failed', error)
}

function end(call: Call, outcome: 'failed' | 'cancelled', cause: TurnkeeperError): RunOutcome {
  const { attempts, last, emit } = call
  const error = withDetails(cause, { attempts })
  // An upstream's report carries the answer so far; without any there is an empty one.
  const partial = (last?.error?.partial as Answer | undefined) ?? createCollector(last?.route ?? '').answer()
  emit({ type: 'error', error, partial })
  return outcomeOf(call, outcome, error)
}

/** All that the call has come to. */
export function outcomeOf(call: Call, outcome: RunOutcome['outcome'], error?: TurnkeeperError): RunOutcome {
  const { attempts, decisions, last, world, request } = call
  const standing =
    error && world.router.choose(request.model ?? '', { whenAllOpen: 'wait', unfit: call.unfit })
  const nextProbeInMs = standing?.kind === 'none' ? standing.nextProbeInMs : undefined
  return {
    outcome,
    route: last?.route ?? null,
    attempts,
    usage: last?.usage ?? null,
    decisions,
    costUsd: sumCosts(attempts.map((attempt) => attempt.costUsd)),
    ...(error && { error }),
    ...(nextProbeInMs !== undefined && { nextProbeInMs }),
  }
}
