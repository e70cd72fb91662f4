/** One physical attempt of a call, and everything that is to be learnt from it. */

import { type AttemptSummary, TurnkeeperError, toTurnkeeperError } from '../../../errors.ts'
import { costOf } from '../../models/pricing.ts'
import { decideTransport, type Lesson, lessonOf, type StreamPolicy, type Transport } from '../../policy.ts'
import type { PartSink } from '../../types.ts'
import { type AttemptOptions, type AttemptReport, reportToSummary } from '../../upstream.ts'
import { type AttemptAbout, type CallSpan, observeAttempt } from '../call-telemetry.ts'
import { createCommitGate } from '../commit-gate.ts'
import type { Decision } from '../engine-types.ts'
import { cellOf } from '../probes/cells.ts'
import type { Candidate } from '../router.ts'
import { type Call, learn, passOverCredential, timeout } from './call.ts'
import { type Means, settleMeans, takeMeans } from './means.ts'

/** Everything is streamed, and a refused format is asked for in plain words. */
const USUAL_POLICY: StreamPolicy = { toolTurns: true, jsonFallback: true }

export type Attempted = {
  readonly report: AttemptReport
  readonly isCommitted: boolean
  /** What this attempt has taught: the next one on its route is asked otherwise. */
  readonly lesson: Lesson | undefined
  /** Id of the credential that was sent, if any. */
  readonly credential: string | undefined
  /** Its token was refused, and there is a new one. */
  readonly isRenewed: boolean
}

/**
 * A place with the provider and a credential; a promise only while all places are taken. The wait ends, with undefined,
 * with the call or after the longest backoff.
 */
export function takeCallMeans(call: Call, { route }: Candidate): Means | Promise<Means | undefined> {
  const { world, failedCredentials } = call
  return takeMeans(world, route, {
    signal: world.places?.isFull(route.provider) ? waitSignal(call) : undefined,
    except: failedCredentials?.get(route.provider),
  })
}

function waitSignal({ world, options, deadlineAt }: Call): AbortSignal {
  const late = timeout(Math.min(world.config.backoff.maxMs, deadlineAt - world.clock()))
  return options.signal ? AbortSignal.any([options.signal, late]) : late
}

type AttemptWith = { readonly means: Means; readonly span: CallSpan }

/** Sends the request once, and tells health, measures, records and profiles what came of it. */
export async function makeAttempt(
  call: Call,
  candidate: Candidate,
  { means, span }: AttemptWith,
): Promise<Attempted> {
  const { world } = call
  const { route } = candidate
  const { generation } = world.health.view(route.name)
  const policy = world.knowledge.policyOf?.(route) ?? USUAL_POLICY
  const transport = transportFor(call, route.name, policy)
  const gate = createCommitGate({ emit: call.emit, onCommit: span.onContent })
  const about: AttemptAbout = {
    route,
    alias: span.alias,
    number: call.attempts.length + 1,
    after: call.decisions.findLast(isMove),
    policy: transport.reasons,
    price: world.knowledge.priceOf?.(route),
  }
  const report = await observeAttempt(world, about, () =>
    send(call, route.name, { transport, emit: gate.push, means }).then((made) => recorded(call, made, about)),
  )
  gate.settle(report.outcome === 'ok')
  span.onAttempt(route, gate.facts(), report)
  const id = means.credential?.id
  call.last = report
  call.attempts.push(summaryOf(report, about, id))
  tellMitigation(call, report)
  const lesson = lessonOf(report, transport, policy)
  if (lesson) learn(call, route.name, lesson)
  world.profiles.saw(route.name, {
    cell: cellOf(transport.request, transport.stream),
    report,
    finishReason: gate.facts().finishReason,
    isFormatRefused: lesson === 'format_refused',
  })
  const settling = settleMeans(world, means, { report, generation })
  const isRenewed = settling !== undefined && (await settling) === 'renewed'
  const category = report.error?.category
  if ((category === 'rate_limit' || category === 'auth') && id !== undefined && !isRenewed) {
    passOverCredential(call, route.provider, id)
  }
  return { report, isCommitted: gate.isCommitted(), lesson, credential: id, isRenewed }
}

type Sending = { readonly transport: Transport; readonly emit: PartSink; readonly means: Means }

/** An upstream that breaks its promise and throws (U1), or is not there, has failed like any other. */
async function send(call: Call, route: string, { transport, emit, means }: Sending): Promise<AttemptReport> {
  try {
    const upstream = call.world.upstreamOf(route)
    if (upstream === undefined)
      throw new TurnkeeperError('no_route', `${route}: its provider is not configured`)
    const token = means.credential?.token()
    const apiKey = token instanceof Promise ? await token : token
    return await upstream.attempt(transport.request, emit, attemptOptions(call, transport, apiKey))
  } catch (thrown) {
    const error = toTurnkeeperError(thrown)
    const nothing = { usage: null, durationMs: 0, idleMs: 0, streamed: true }
    return { route, outcome: 'failed', error, phase: 'before_headers', ...nothing }
  }
}

function attemptOptions(call: Call, { stream }: Transport, apiKey: string | undefined): AttemptOptions {
  const signal = attemptSignal(call)
  return {
    ...(signal && { signal }),
    ...(apiKey !== undefined && { apiKey }),
    ...(!stream && { stream: false }),
  }
}

/** Ends with the caller's signal, and with the deadline of the call. */
function attemptSignal({ world, options, deadlineAt }: Call): AbortSignal | undefined {
  if (deadlineAt === Number.POSITIVE_INFINITY) return options.signal
  const late = timeout(deadlineAt - world.clock())
  return options.signal ? AbortSignal.any([options.signal, late]) : late
}

function transportFor({ world, request, lessons }: Call, route: string, policy: StreamPolicy): Transport {
  return decideTransport(request, {
    policy,
    lessons: lessons?.get(route),
    shown: world.profiles.shownOf(route),
  })
}

function tellMitigation({ world, request, options }: Call, { outcome, route, error }: AttemptReport): void {
  if (outcome === 'cancelled') return
  const { segment } = options
  const attempted = { route, error, ...(segment !== undefined && { segment }) }
  world.mitigation.attempted(request.model ?? '', attempted)
}

function summaryOf(
  report: AttemptReport,
  { policy, price }: Pick<AttemptAbout, 'policy' | 'price'>,
  credential: string | undefined,
): AttemptSummary {
  const costUsd = costOf(price, report.usage)
  return {
    ...reportToSummary(report),
    ...(policy.length > 0 && { policy }),
    ...(costUsd !== undefined && { costUsd }),
    ...(credential !== undefined && { credential }),
  }
}

/** Whether a decision led to an attempt. */
function isMove({ type }: Decision): boolean {
  return type === 'retry' || type === 'rotate' || type === 'reroute' || type === 'restart'
}

/** The report with the id of its record, if one is kept; its evidence is the recorder's from here on. */
function recorded(
  { world }: Call,
  made: AttemptReport,
  { number: attempt, after, alias, policy }: AttemptAbout,
): AttemptReport {
  if (made.evidence === undefined) return made
  const streamReason = policy.length > 0 ? policy.join(' ') : undefined
  const trail = { alias, attempt, ...(after && { after }), ...(streamReason && { streamReason }) }
  const recordId = world.record(made, trail)
  if (recordId === undefined) return made
  const { evidence: _recorders, ...report } = made
  return { ...report, recordId }
}
