/** What the engine decides between attempts, and how that is told. */

import type { RouteConfig } from '../../../config/config.ts'
import type { Lesson } from '../../policy.ts'
import type { AttemptReport } from '../../upstream.ts'
import { isRefusal, verdictOn } from '../breaker/rules.ts'
import type { Decision } from '../engine-types.ts'
import { type NextAttempt, nextAttempt } from '../next-attempt.ts'
import { reportToOutcome } from '../outcome.ts'
import type { Candidate, Choice } from '../router.ts'
import type { Attempted } from './attempt.ts'
import { type Call, note, type World } from './call.ts'
import { deadlineError, noRouteError } from './errors.ts'

/** A call that has routes, but no time for them, has a deadline for its cause. */
export function noneError(
  { world, request, options, attempts }: Call,
  choice: Extract<Choice, { kind: 'none' }>,
) {
  const { model = '' } = request
  const isTime = choice.reason === 'no_route' && world.router.choose(model, options).kind === 'routes'
  return isTime ? deadlineError(attempts) : noRouteError(model, choice)
}

/** The routes that may serve the call now, in the time that it has left. */
export function choose({ world, request, options, unfit, deadlineAt }: Call): Choice {
  const leftMs = deadlineAt - world.clock()
  const exclude = (route: RouteConfig): string | undefined => {
    const needsMs = world.speeds?.typicalMs(route.name) ?? 0
    if (leftMs > needsMs) return options.exclude?.(route)
    return `it needs about ${Math.round(needsMs)} ms, and ${Math.max(0, Math.round(leftMs))} ms are left`
  }
  return world.router.choose(request.model ?? '', {
    whenAllOpen: options.whenAllOpen,
    exclude: deadlineAt === Number.POSITIVE_INFINITY ? options.exclude : exclude,
    unfit,
  })
}

/** What to do next; for a retry the wait is over then, and what was learnt during it is heeded. */
export async function decide(
  call: Call,
  candidate: Candidate,
  { report, isCommitted, lesson, credential, isRenewed, alias }: Attempted & { readonly alias: string },
): Promise<NextAttempt> {
  const { world, options, attempts, decisions, deadlineAt } = call
  const { error } = report
  if (error === undefined) return { type: 'stop' }
  // The route is well, it only wants to be asked otherwise: at once, besides the retries.
  if (lesson !== undefined && !isCommitted && attempts.length < world.config.maxAttempts) {
    return { type: 'retry', delayMs: 0 }
  }
  const now = (): NextAttempt => {
    const { name, provider } = candidate.route
    const failed = { ...candidate, health: world.health.view(name) }
    const { config, random, budget } = world
    const rotations = decisions.filter(({ type, from }) => type === 'rotate' && from === name).length
    const canRotate = isRenewed || (credential !== undefined && hasOtherCredential(call, provider))
    return nextAttempt(
      { error, isCommitted, candidate: failed, attempts, rotations, canRotate },
      {
        ...{ config, random, choice: choose(call), windowOf: (route) => windowOf(world, route) },
        ...{ isBudgetSpent: budget.isSpent(alias), leftMs: deadlineAt - world.clock() },
      },
    )
  }
  const next = now()
  if (next.type !== 'retry') return next
  await world.sleep(next.delayMs, options.signal)
  return now()
}

function hasOtherCredential({ world, failedCredentials }: Call, provider: string): boolean {
  return world.credentials?.standing(provider, failedCredentials?.get(provider)).kind === 'usable'
}

/** Says the decision wherever it is to be seen, and gives the route that it leads to. */
export function follow(
  call: Call,
  from: Candidate,
  { next, attempted }: { next: Exclude<NextAttempt, { type: 'stop' }>; attempted: Attempted },
): Candidate {
  const { world, options } = call
  const to = next.type === 'reroute' ? next.to : from
  const reason = attempted.report.error?.reason ?? 'unknown'
  const move = { from: from.route.name, to: to.route.name, reason }
  const policy = next.type === 'retry' ? lessonToPolicy(attempted.lesson) : undefined
  const type = attempted.isCommitted ? 'restart' : next.type
  const decision: Decision = { type, ...move, ...(policy && { policy }) }
  if (attempted.isCommitted) options.onRestart?.(move)
  note(call, decision)
  if (next.type !== 'rotate') countDecision(call, from, { to, type: next.type, report: attempted.report })
  const isAboutCredential = attempted.credential !== undefined && isRefusal(reason)
  if (next.type === 'reroute' && verdictOn(reason) === 'failed' && !isAboutCredential) {
    world.health.rerouted(move.from, world.health.view(move.from).generation)
  }
  return to
}

function lessonToPolicy(lesson: Lesson | undefined): Decision['policy'] {
  if (lesson === undefined) return undefined
  return lesson === 'format_refused' ? 'json_fallback' : 'sse_parse'
}

function windowOf({ knowledge }: World, route: RouteConfig): number | null {
  return knowledge.capabilitiesOf?.(route).contextWindow ?? null
}

function countDecision(
  { world, request }: Call,
  from: Candidate,
  { to, type, report }: { to: Candidate; type: 'retry' | 'reroute'; report: AttemptReport },
): void {
  const { telemetry, table } = world
  const reason = reportToOutcome(report)
  const { route } = table.labels(from.route)
  if (type === 'retry') telemetry.count('provider_retries_total', { route, reason })
  else {
    const moved = { from_route: route, to_route: table.labels(to.route).route }
    telemetry.count('route_reroutes_total', {
      alias: table.aliasLabel(request.model ?? ''),
      ...moved,
      reason,
    })
  }
}
