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
 */

import { setTimeout as delay } from 'node:timers/promises'
import type { RouteConfig, RoutingConfig } from '../../config/config.ts'
import { type AttemptSummary, TurnkeeperError, toTurnkeeperError, withDetails } from '../../errors.ts'
import type { Telemetry } from '../../telemetry/telemetry.ts'
import type { RouteCapabilities } from '../capabilities/capability.ts'
import { createCollector } from '../collect.ts'
import type { Price } from '../models/model-info.ts'
import { decideTransport, type Lesson, lessonOf, type StreamPolicy, type Transport } from '../policy.ts'
import { costOf, sumCosts } from '../pricing.ts'
import type { Recorder } from '../recorder/recorder.ts'
import type { Answer, ModelRequest, PartSink } from '../types.ts'
import { type AttemptReport, reportToSummary, type Upstream } from '../upstream.ts'
import type { RouteHealth } from './breaker/mirror.ts'
import { verdictOn } from './breaker/rules.ts'
import { type AttemptAbout, type CallSpan, observeAttempt, observeCall } from './call-telemetry.ts'
import { createCommitGate } from './commit-gate.ts'
import type { AttemptEngine, Decision, EngineOptions, RunOutcome } from './engine-types.ts'
import { type NextAttempt, nextAttempt } from './next-attempt.ts'
import { reportToOutcome } from './outcome.ts'
import { preflight } from './preflight.ts'
import type { RouteTable } from './route-table.ts'
import type { Candidate, Choice, Router } from './router.ts'

/** Where the engine tells how routes did: `Health`, or a scripted one. */
export type HealthSink = {
  view(route: string): RouteHealth
  report(route: string, generation: number, failure?: TurnkeeperError['reason']): void
  rerouted(route: string, generation: number): void
}

export type AttemptEngineDependencies = {
  readonly router: Router
  readonly table: RouteTable
  readonly health: HealthSink
  readonly upstreamOf: (route: string) => Upstream | undefined
  readonly knowledge?: RouteKnowledge
  readonly config: RoutingConfig
  readonly telemetry: Telemetry
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
  const world: World = {
    clock: () => performance.now(),
    random: Math.random,
    sleep: sleepUntilAborted,
    record: () => undefined,
    knowledge: {},
    ...dependencies,
  }
  return {
    run: (request, emit, options = {}) => {
      const call: Call = { world, request, emit, options, ...emptyLog() }
      return observeCall(world, request, (span) => runChecked(call, span))
    },
  }
}

type World = Required<AttemptEngineDependencies>

/** One logical call under way. */
type Call = {
  readonly world: World
  /** As it is to be sent: preflight may have changed it. */
  request: ModelRequest
  readonly emit: PartSink
  readonly options: EngineOptions
  readonly attempts: AttemptSummary[]
  readonly decisions: Decision[]
  /** What attempts have taught of their routes. */
  readonly lessons: Map<string, Set<Lesson>>
  /** Routes that cannot serve the request. */
  unfit: ReadonlyMap<string, TurnkeeperError>
  firstError: TurnkeeperError | undefined
  last: AttemptReport | undefined
}

const emptyLog = (): Pick<Call, 'attempts' | 'decisions' | 'lessons' | 'unfit' | 'firstError' | 'last'> => ({
  attempts: [],
  decisions: [],
  lessons: new Map(),
  unfit: new Map(),
  firstError: undefined,
  last: undefined,
})

type Attempted = {
  readonly report: AttemptReport
  readonly isCommitted: boolean
  /** What this attempt has taught: the next one on its route is asked otherwise. */
  readonly lesson: Lesson | undefined
}

/** Runs the call if there is nothing to say against it before anything is sent. */
async function runChecked(call: Call, span: CallSpan): Promise<RunOutcome> {
  const { world, options } = call
  const { table, upstreamOf, knowledge } = world
  try {
    if (table.find(call.request.model ?? '') === undefined) await resolveModel(call)
    const routes = table.find(call.request.model ?? '')?.routes ?? []
    const { capabilitiesOf } = knowledge
    const checked = await preflight(call.request, routes, { upstreamOf, capabilitiesOf })
    if (checked.refusal) return fail(call, checked.refusal)
    call.request = checked.request
    call.unfit = checked.unfit
    for (const decision of checked.decisions) {
      call.decisions.push(decision)
      options.onDecision?.(decision)
    }
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

async function runCall(call: Call, span: CallSpan): Promise<RunOutcome> {
  const { options } = call
  const choice = choose(call)
  if (choice.kind === 'none') return fail(call, noRouteError(call, choice))
  let candidate = choice.candidates[0]
  for (;;) {
    const attempted = await makeAttempt(call, candidate, span)
    const { error } = attempted.report
    if (error === undefined) return outcomeOf(call, 'ok')
    call.firstError ??= error
    if (error.reason === 'cancelled' || options.signal?.aborted) return cancel(call)
    if (attempted.isCommitted && options.afterCommit !== 'restart') return fail(call, error)
    const next = await decide(call, candidate, attempted)
    if (options.signal?.aborted) return cancel(call)
    if (next.type === 'stop') return fail(call, call.firstError)
    candidate = follow(call, candidate, { next, attempted })
  }
}

function choose({ world, request, options, unfit }: Call): Choice {
  return world.router.choose(request.model ?? '', { ...options, unfit })
}

async function makeAttempt(call: Call, candidate: Candidate, span: CallSpan): Promise<Attempted> {
  const { world, options } = call
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
    const made = await attemptSafely(world.upstreamOf(name), name, (upstream) =>
      upstream.attempt(transport.request, gate.push, {
        ...(options.signal && { signal: options.signal }),
        ...(!transport.stream && { stream: false }),
      }),
    )
    return recorded(call, made, about)
  }
  const report = await observeAttempt(world, about, attempt)
  gate.settle(report.outcome === 'ok')
  span.onAttempt(route, gate.facts(), report)
  call.last = report
  call.attempts.push(summaryOf(report, about))
  const lesson = lessonOf(report, transport, policy)
  if (lesson) call.lessons.set(name, new Set([...(call.lessons.get(name) ?? []), lesson]))
  if (report.outcome !== 'cancelled') world.health.report(name, generation, report.error?.reason)
  return { report, isCommitted: gate.isCommitted(), lesson }
}

function transportFor({ request, lessons }: Call, route: string, policy: StreamPolicy): Transport {
  return decideTransport(request, { policy, lessons: lessons.get(route) ?? new Set() })
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
  return type === 'retry' || type === 'reroute' || type === 'restart'
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
  { report, isCommitted, lesson }: Attempted,
): Promise<NextAttempt> {
  const { world, options, attempts } = call
  const { error } = report
  if (error === undefined) return { type: 'stop' }
  // The route is well, it only wants to be asked otherwise: at once, besides the retries.
  if (lesson !== undefined && !isCommitted && attempts.length < world.config.maxAttempts) {
    return { type: 'retry', delayMs: 0 }
  }
  const now = (): NextAttempt => {
    const failed = { ...candidate, health: world.health.view(candidate.route.name) }
    const { config, random } = world
    return nextAttempt(
      { error, isCommitted, candidate: failed, attempts },
      { config, random, choice: choose(call), windowOf: (route) => windowOf(world, route) },
    )
  }
  const next = now()
  if (next.type !== 'retry') return next
  await world.sleep(next.delayMs, options.signal)
  return now()
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
  call.decisions.push(decision)
  options.onDecision?.(decision)
  countDecision(call, from, { to, type: next.type, report: attempted.report })
  if (next.type === 'reroute' && verdictOn(reason) === 'failed') {
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

function noRouteError({ request }: Call, choice: Extract<Choice, { kind: 'none' }>): TurnkeeperError {
  const name = JSON.stringify((request.model ?? '').slice(0, 100))
  if (choice.reason === 'no_route') {
    const problem = `${name} is neither an alias nor a provider/model of an enabled provider`
    return new TurnkeeperError('no_route', `${problem}: add it under "models", or ask for one that is there`)
  }
  const { nextProbeInMs: retryAfterMs = 0 } = choice
  const seconds = Math.ceil(retryAfterMs / 1000)
  const problem = `no route of ${name} is usable: the next probe is sent in ${seconds} s`
  return new TurnkeeperError('breaker_open', problem, { retryAfterMs })
}

async function sleepUntilAborted(ms: number, signal: AbortSignal | undefined): Promise<boolean> {
  try {
    await delay(ms, undefined, signal && { signal })
    return true
  } catch {
    return false
  }
}
