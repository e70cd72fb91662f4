/**
 * The attempt engine: one logical model call as physical attempts on the routes of its alias.
 *
 * choosing ──▶ attempting ──▶ finished
 *                 │  ▲
 *          failed │  │ retry, reroute, restart
 *                 ▼  │
 *              deciding ──▶ failed | cancelled
 *
 * A1. Exactly one `finish` or `error` part is emitted, last (P1), and nothing that an upstream does makes it throw (P2).
 * A2. Nothing of an attempt is emitted before its commit point: one that fails earlier leaves no part behind.
 * A3. After the commit point another attempt follows only with `afterCommit: 'restart'`, and the caller is told first.
 * A4. Every physical request stands in `attempts`, in order; the error that is reported is that of the first cause,
 *     unless a later one broke an answer that had begun.
 * A5. No decision waits for Redis: routes and health are read from memory, results are told in the background.
 * A6. No attempt begins after the call's deadline, or with less time left than its route needs to its first content.
 * A7. Retries and moves are paid from the budget of the alias; another credential of the same route is not.
 */

import { setTimeout as delay } from 'node:timers/promises'
import { type TurnkeeperError, toTurnkeeperError } from '../../errors.ts'
import { type CallSpan, observeCall } from './call-telemetry.ts'
import { makeAttempt, takeCallMeans } from './engine/attempt.ts'
import {
  type AttemptEngineDependencies,
  type Call,
  isLate,
  note,
  openCall,
  type World,
} from './engine/call.ts'
import { choose, decide, follow, noneError } from './engine/decide.ts'
import { cancel, fail, outcomeOf } from './engine/ending.ts'
import { enterAlias } from './engine/entry.ts'
import { budgetError, deadlineError, noPlaceError } from './engine/errors.ts'
import type { AttemptEngine, EngineOptions, RunOutcome } from './engine-types.ts'
import { createRetryBudget } from './measures/retry-budget.ts'
import { NO_MITIGATION } from './mitigation/detour.ts'
import { tellUntranslatable } from './translation.ts'

/** The one engine for streams and whole answers, queued and direct calls. */
export function createAttemptEngine(dependencies: AttemptEngineDependencies): AttemptEngine {
  const { clock = () => performance.now(), config } = dependencies
  const world: World = {
    clock,
    budget: createRetryBudget({ share: config.retryBudget, now: clock }),
    random: Math.random,
    sleep: sleepUntilAborted,
    record: () => undefined,
    knowledge: {},
    profiles: { shownOf: () => () => undefined, saw: () => undefined },
    mitigation: NO_MITIGATION,
    ...dependencies,
  }
  return {
    run: (request, emit, options = NO_OPTIONS) =>
      observeCall(world, { request, knownAs: options.knownAs }, (span) =>
        runCall(openCall(world, { request, emit: span.tap(emit), options }), span),
      ),
  }
}

const NO_OPTIONS: EngineOptions = {}

/** What speaks against the call before anything is sent; undefined where nothing does. */
async function checkCall(call: Call, span: CallSpan): Promise<TurnkeeperError | undefined> {
  const { world, options } = call
  try {
    if (world.table.find(call.request.model ?? '') === undefined) await resolveModel(call)
    const checking = enterAlias(world, call.request, options)
    const checked = checking instanceof Promise ? await checking : checking
    if (checked.untranslatable) tellUntranslatable(world, { ...checked.untranslatable, alias: span.alias })
    if (checked.refusal) return checked.refusal
    call.request = checked.request
    call.unfit = checked.unfit
    for (const decision of checked.decisions) note(call, decision)
    return undefined
  } catch (error) {
    return toTurnkeeperError(error)
  }
}

async function resolveModel(call: Call): Promise<void> {
  const { request, world } = call
  const { model = '' } = request
  const route = model === '' ? undefined : await world.knowledge.routeOfModel?.(model)
  if (route !== undefined) call.request = { ...request, model: route }
}

async function runCall(call: Call, span: CallSpan): Promise<RunOutcome> {
  const { options } = call
  const refusal = await checkCall(call, span)
  if (refusal !== undefined) return fail(call, refusal)
  const choice = choose(call)
  if (choice.kind === 'none') return fail(call, noneError(call, choice))
  let candidate = choice.candidates[0]
  for (;;) {
    if (options.signal?.aborted) return cancel(call)
    const taking = takeCallMeans(call, candidate)
    const means = taking instanceof Promise ? await taking : taking
    if (means === undefined) {
      if (options.signal?.aborted) return cancel(call)
      const { maxMs } = call.world.config.backoff
      return fail(call, call.firstError ?? noPlaceError(candidate.route.provider, maxMs))
    }
    const attempted = await makeAttempt(call, candidate, { means, span })
    const { error } = attempted.report
    if (error === undefined) {
      call.world.budget.succeeded(span.alias)
      return outcomeOf(call, 'ok')
    }
    if (isLate(call)) return fail(call, call.firstError ?? deadlineError(call.attempts))
    call.firstError ??= error
    if (error.reason === 'cancelled' || options.signal?.aborted) return cancel(call)
    if (attempted.isCommitted && options.afterCommit !== 'restart') return fail(call, error)
    const next = await decide(call, candidate, { ...attempted, alias: span.alias })
    if (options.signal?.aborted) return cancel(call)
    if (next.type === 'stop') {
      const { firstError, request } = call
      return fail(call, next.isBudgetSpent ? budgetError(request.model, firstError) : firstError)
    }
    if (next.type !== 'rotate') call.world.budget.spent(span.alias)
    candidate = follow(call, candidate, { next, attempted })
  }
}

async function sleepUntilAborted(ms: number, signal: AbortSignal | undefined): Promise<boolean> {
  try {
    await delay(ms, undefined, signal && { signal })
    return true
  } catch {
    return false
  }
}
