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
import type { RouteConfig, RoutingConfig } from '../../config/config.ts'
import { type AttemptSummary, TurnkeeperError, toTurnkeeperError, withDetails } from '../../errors.ts'
import type { Telemetry } from '../../telemetry/telemetry.ts'
import type { RouteCapabilities } from '../capabilities/capability.ts'
import { createCollector } from '../collect.ts'
import type { Price } from '../models/model-info.ts'
import { costOf, sumCosts } from '../models/pricing.ts'
import { decideTransport, type Lesson, lessonOf, type StreamPolicy, type Transport } from '../policy.ts'
import type { Recorder } from '../recorder/recorder.ts'
import type { Answer, ModelRequest, PartSink } from '../types.ts'
import { type AttemptReport, reportToSummary, type Upstream } from '../upstream.ts'
import type { RouteHealth } from './breaker/mirror.ts'
import { isRefusal, verdictOn } from './breaker/rules.ts'
import { type AttemptAbout, type CallSpan, observeAttempt, observeCall } from './call-telemetry.ts'
import { createCommitGate } from './commit-gate.ts'
import { enterAlias } from './engine/entry.ts'
import { budgetError, deadlineError, noPlaceError, noRouteError } from './engine/errors.ts'
import { type Means, type MeansWorld, takeMeans } from './engine/means.ts'
import type { AttemptEngine, Decision, EngineOptions, RunOutcome } from './engine-types.ts'
import { createRetryBudget, type RetryBudget } from './measures/retry-budget.ts'
import { type Mitigation, NO_MITIGATION } from './mitigation/detour.ts'
import { type NextAttempt, nextAttempt } from './next-attempt.ts'
import { reportToOutcome } from './outcome.ts'
import { cellOf } from './probes/cells.ts'
import type { Profiles } from './probes/profiles.ts'
import type { RouteTable } from './route-table.ts'
import type { Candidate, Choice, Router } from './router.ts'

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

/** Everything is streamed, and a refused format is asked for in plain words. */
const USUAL_POLICY: StreamPolicy = { toolTurns: true, jsonFallback: true }

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
    run: (request, emit, options = {}) => {
      const { deadlineMs } = options
      const deadlineAt = deadlineMs === undefined ? Number.POSITIVE_INFINITY : world.clock() + deadlineMs
      const call: Call = { world, request, emit, options, deadlineAt, ...emptyLog() }
      return observeCall(world, { request, knownAs: options.knownAs }, (span) => runChecked(call, span))
    },
  }
}

type World = Required<Omit<AttemptEngineDependencies, keyof MeansWorld>> &
  Pick<AttemptEngineDependencies, keyof MeansWorld> & { readonly budget: RetryBudget }

/** One logical call under way. */
type Call = {
  readonly world: World
  /** As it is to be sent: preflight may have changed it. */
  request: ModelRequest
  readonly emit: PartSink
  readonly options: EngineOptions
  /** By the engine's clock. */
  readonly deadlineAt: number
  readonly attempts: AttemptSummary[]
  readonly decisions: Decision[]
  /** What attempts have taught of their routes. */
  readonly lessons: Map<string, Set<Lesson>>
  /** Credentials that have failed this call, by provider. */
  readonly failedCredentials: Map<string, Set<string>>
  /** Routes that cannot serve the request. */
  unfit: ReadonlyMap<string, TurnkeeperError>
  firstError: TurnkeeperError | undefined
  last: AttemptReport | undefined
}

const emptyLog = (): Pick<
  Call,
  'attempts' | 'decisions' | 'lessons' | 'failedCredentials' | 'unfit' | 'firstError' | 'last'
> => ({
  attempts: [],
  decisions: [],
  lessons: new Map(),
  failedCredentials: new Map(),
  unfit: new Map(),
  firstError: undefined,
  last: undefined,
})

type Attempted = {
  readonly report: AttemptReport
  readonly isCommitted: boolean
  /** What this attempt has taught: the next one on its route is asked otherwise. */
  readonly lesson: Lesson | undefined
  /** Id of the credential that was sent, if any. */
  readonly credential: string | undefined
  /** Its token was refused, and there is a new one. */
  readonly isRenewed: boolean
}

/** Runs the call if there is nothing to say against it before anything is sent. */
async function runChecked(call: Call, span: CallSpan): Promise<RunOutcome> {
  const { world, options } = call
  try {
    if (world.table.find(call.request.model ?? '') === undefined) await resolveModel(call)
    const checked = await enterAlias(world, call.request, options)
    if (checked.refusal) return fail(call, checked.refusal)
    call.request = checked.request
    call.unfit = checked.unfit
    for (const decision of checked.decisions) note(call, decision)
  } catch (error) {
    return fail(call, toTurnkeeperError(error))
  }
  return runCall(call, span)
}

async function resolveModel(call: Call): Promise<void> {
  const { request, world } = call
  const { model = '' } = request
  const route = model === '' ? undefined : await world.knowledge.routeOfModel?.(model)
  if (route !== undefined) call.request = { ...request, model: route }
}

function note({ decisions, options }: Call, decision: Decision): void {
  decisions.push(decision)
  options.onDecision?.(decision)
}

async function runCall(call: Call, span: CallSpan): Promise<RunOutcome> {
  const { options } = call
  const choice = choose(call)
  if (choice.kind === 'none') return fail(call, noneError(call, choice))
  let candidate = choice.candidates[0]
  for (;;) {
    const means = await takeCallMeans(call, candidate)
    if (options.signal?.aborted) return cancel(call)
    if (means === undefined) {
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

/** A call that has routes, but no time for them, has a deadline for its cause. */
function noneError({ world, request, options, attempts }: Call, choice: Extract<Choice, { kind: 'none' }>) {
  const { model = '' } = request
  const isTime = choice.reason === 'no_route' && world.router.choose(model, options).kind === 'routes'
  return isTime ? deadlineError(attempts) : noRouteError(model, choice)
}

function choose({ world, request, options, unfit, deadlineAt }: Call): Choice {
  const leftMs = deadlineAt - world.clock()
  const exclude = (route: RouteConfig): string | undefined => {
    const needsMs = world.speeds?.typicalMs(route.name) ?? 0
    if (leftMs > needsMs) return options.exclude?.(route)
    return `it needs about ${Math.round(needsMs)} ms, and ${Math.max(0, Math.round(leftMs))} ms are left`
  }
  const timed = deadlineAt === Number.POSITIVE_INFINITY ? {} : { exclude }
  return world.router.choose(request.model ?? '', { ...options, unfit, ...timed })
}

/** A place with the provider and a credential; the wait for a place ends with the call, or after the longest backoff. */
function takeCallMeans(call: Call, { route }: Candidate): Promise<Means | undefined> {
  const { world, options, failedCredentials } = call
  const isFull = world.places?.isFull(route.provider) ?? false
  const waitMs = Math.min(world.config.backoff.maxMs, call.deadlineAt - world.clock())
  const signals = [...(options.signal ? [options.signal] : []), ...(isFull ? [timeout(waitMs)] : [])]
  return takeMeans(world, route, {
    signal: signals.length === 0 ? undefined : AbortSignal.any(signals),
    except: failedCredentials.get(route.provider),
  })
}

type AttemptWith = { readonly means: Means; readonly span: CallSpan }

async function makeAttempt(
  call: Call,
  candidate: Candidate,
  { means, span }: AttemptWith,
): Promise<Attempted> {
  const { world } = call
  const { route } = candidate
  const { name } = route
  const gate = createCommitGate({ emit: call.emit, onCommit: span.onContent })
  const { generation } = world.health.view(name)
  const policy = world.knowledge.policyOf?.(route) ?? USUAL_POLICY
  const transport = transportFor(call, name, policy)
  const about = {
    ...{ route, alias: span.alias, number: call.attempts.length + 1, after: call.decisions.findLast(isMove) },
    ...{ policy: transport.reasons, price: world.knowledge.priceOf?.(route) },
  }
  const attempt = async (): Promise<AttemptReport> => {
    const made = await attemptSafely(world.upstreamOf(name), name, async (upstream) => {
      const apiKey = await means.token()
      const signal = attemptSignal(call)
      return upstream.attempt(transport.request, gate.push, {
        ...(signal && { signal }),
        ...(apiKey !== undefined && { apiKey }),
        ...(!transport.stream && { stream: false }),
      })
    })
    return recorded(call, made, about)
  }
  const report = await observeAttempt(world, about, attempt)
  gate.settle(report.outcome === 'ok')
  span.onAttempt(route, gate.facts(), report)
  call.last = report
  if (report.outcome !== 'cancelled') {
    const { segment } = call.options
    const attempted = { route: name, error: report.error, ...(segment !== undefined && { segment }) }
    world.mitigation.attempted(call.request.model ?? '', attempted)
  }
  const { credential } = means
  call.attempts.push({ ...summaryOf(report, about), ...(credential !== undefined && { credential }) })
  const lesson = lessonOf(report, transport, policy)
  if (lesson) call.lessons.set(name, new Set([...(call.lessons.get(name) ?? []), lesson]))
  world.profiles.saw(name, {
    cell: cellOf(transport.request, transport.stream),
    report,
    finishReason: gate.facts().finishReason,
    isFormatRefused: lesson === 'format_refused',
  })
  const isRenewed = (await means.settle(report, generation)) === 'renewed'
  const category = report.error?.category
  if ((category === 'rate_limit' || category === 'auth') && credential !== undefined && !isRenewed) {
    const { provider } = candidate.route
    const failed = call.failedCredentials.get(provider) ?? new Set()
    call.failedCredentials.set(provider, failed.add(credential))
  }
  return { report, isCommitted: gate.isCommitted(), lesson, credential, isRenewed }
}

/** Ends with the caller's signal, and with the deadline of the call. */
function attemptSignal({ world, options, deadlineAt }: Call): AbortSignal | undefined {
  if (deadlineAt === Number.POSITIVE_INFINITY) return options.signal
  const late = timeout(deadlineAt - world.clock())
  return options.signal ? AbortSignal.any([options.signal, late]) : late
}

/** What setTimeout can hold; more would fire at once. */
const LONGEST_TIMER_MS = 2 ** 31 - 1

function timeout(ms: number): AbortSignal {
  return AbortSignal.timeout(Math.round(Math.min(LONGEST_TIMER_MS, Math.max(0, ms))))
}

function isLate({ world, deadlineAt }: Call): boolean {
  return world.clock() >= deadlineAt
}

function transportFor({ world, request, lessons }: Call, route: string, policy: StreamPolicy): Transport {
  const shown = world.profiles.shownOf(route)
  return decideTransport(request, { policy, lessons: lessons.get(route) ?? new Set(), shown })
}

function summaryOf(
  report: AttemptReport,
  { policy, price }: { policy: Transport['reasons']; price: Price | undefined },
): AttemptSummary {
  const costUsd = costOf(price, report.usage)
  return {
    ...reportToSummary(report),
    ...(policy.length > 0 && { policy }),
    ...(costUsd !== undefined && { costUsd }),
  }
}

/** Whether a decision led to an attempt. */
function isMove({ type }: Decision): boolean {
  return type === 'retry' || type === 'rotate' || type === 'reroute' || type === 'restart'
}

/** The report with the id of its record; the evidence is the recorder's from here on. */
function recorded(
  { world }: Call,
  { evidence, ...report }: AttemptReport,
  { number: attempt, after, alias, policy }: Omit<AttemptAbout, 'route'>,
): AttemptReport {
  if (evidence === undefined) return report
  const streamReason = policy.length > 0 ? policy.join(' ') : undefined
  const trail = { alias, attempt, ...(after && { after }), ...(streamReason && { streamReason }) }
  const recordId = world.record({ ...report, evidence }, trail)
  return recordId === undefined ? report : { ...report, recordId }
}

/** An upstream that breaks its promise and throws (U1), or is not there, has failed like any other. */
async function attemptSafely(
  upstream: Upstream | undefined,
  route: string,
  attempt: (upstream: Upstream) => Promise<AttemptReport>,
): Promise<AttemptReport> {
  try {
    if (upstream) return await attempt(upstream)
    throw new TurnkeeperError('no_route', `${route}: its provider is not configured`)
  } catch (thrown) {
    const error = toTurnkeeperError(thrown)
    const nothing = { usage: null, durationMs: 0, idleMs: 0, streamed: true }
    return { route, outcome: 'failed', error, phase: 'before_headers', ...nothing }
  }
}

/** What to do next; for a retry the wait is over then, and what was learnt during it is heeded. */
async function decide(
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
  return world.credentials?.standing(provider, failedCredentials.get(provider)).kind === 'usable'
}

function follow(
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

function cancel(call: Call): RunOutcome {
  const error =
    call.last?.error?.reason === 'cancelled'
      ? call.last.error
      : new TurnkeeperError('cancelled', 'the model call was cancelled')
  return end(call, 'cancelled', error)
}

function fail(call: Call, error: TurnkeeperError): RunOutcome {
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

function outcomeOf(call: Call, outcome: RunOutcome['outcome'], error?: TurnkeeperError): RunOutcome {
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

async function sleepUntilAborted(ms: number, signal: AbortSignal | undefined): Promise<boolean> {
  try {
    await delay(ms, undefined, signal && { signal })
    return true
  } catch {
    return false
  }
}
