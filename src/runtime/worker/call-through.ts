import type { TurnkeeperError } from '../../errors.ts'
import type { RunOutcome } from '../../providers/routing/engine-types.ts'
import type { ProviderRuntime } from '../../providers/runtime.ts'
import type { CallModel } from '../turn/turn-context.ts'

/** However soon a probe is due, a turn is not looked at again before this. */
const SHORTEST_WAIT_MS = 500

/**
 * The attempt engine as the agent loop calls it: a queued turn may begin an answer anew after its commit point, and
 * waits where a direct call would try a route that is open.
 */
export function callThrough(models: ProviderRuntime): CallModel {
  return async (request, emit, { signal, deadlineMs, segment, knownAs, onRestart, onReroute }) => {
    const outcome = await models.run(request, emit, {
      signal,
      knownAs,
      ...(deadlineMs !== undefined && { deadlineMs }),
      ...(segment !== undefined && { segment }),
      afterCommit: 'restart',
      whenAllOpen: 'wait',
      onDecision(decision) {
        if (decision.type === 'restart') onRestart(decision.reason)
        if (decision.from !== decision.to) onReroute(decision.from, decision.to, decision.reason)
      },
    })
    const { attempts, decisions, costUsd } = outcome
    const waiting = await waitOf(models, request.model ?? '', { outcome, deadlineMs, segment })
    return { attempts, decisions, costUsd, ...(waiting && { waiting }) }
  }
}

/** How long a turn waits whose call found no route, or none any more; within its deadline (D10). */
async function waitOf(
  models: ProviderRuntime,
  model: string,
  {
    outcome: { error },
    deadlineMs = Number.POSITIVE_INFINITY,
    segment,
  }: { outcome: RunOutcome; deadlineMs?: number | undefined; segment?: string | undefined },
): Promise<{ readonly forMs: number; readonly reason: string } | undefined> {
  if (error === undefined || !isUpstreams(error)) return undefined
  await models.settled() // the failure that ended this call may be the one that opens its route
  const budgetMs = error.reason === 'retry_budget' ? error.retryAfterMs : undefined
  const waitMs = models.waitFor(model, segment) ?? budgetMs
  if (waitMs === undefined) return undefined
  return { forMs: Math.min(Math.max(waitMs, SHORTEST_WAIT_MS), deadlineMs), reason: error.reason }
}

/** Whether another time may be better: not for a request that is wrong, and not for one that was given up. */
function isUpstreams({ category }: TurnkeeperError): boolean {
  return category !== 'bad_request' && category !== 'turn'
}
