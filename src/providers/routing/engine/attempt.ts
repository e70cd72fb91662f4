/** One physical attempt of a call, and everything that is to be learnt from it. */

import { type AttemptSummary, TurnkeeperError, toTurnkeeperError } from '../../../errors.ts'
import type { Price } from '../../models/model-info.ts'
import { costOf } from '../../models/pricing.ts'
import { decideTransport, type Lesson, lessonOf, type StreamPolicy, type Transport } from '../../policy.ts'
import { type AttemptReport, reportToSummary, type Upstream } from '../../upstream.ts'
import { type AttemptAbout, type CallSpan, observeAttempt } from '../call-telemetry.ts'
import { createCommitGate } from '../commit-gate.ts'
import type { Decision } from '../engine-types.ts'
import { cellOf } from '../probes/cells.ts'
import type { Candidate } from '../router.ts'
import { type Call, timeout } from './call.ts'
import { type Means, takeMeans } from './means.ts'

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

/** A place with the provider and a credential; the wait for a place ends with the call, or after the longest backoff. */
export function takeCallMeans(call: Call, { route }: Candidate): Promise<Means | undefined> {
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

/** Sends the request once, and tells health, measures, records and profiles what came of it. */
export async function makeAttempt(
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
  made: AttemptReport,
  { number: attempt, after, alias, policy }: Omit<AttemptAbout, 'route'>,
): AttemptReport {
  const { evidence, ...report } = made
  if (evidence === undefined) return made
  const streamReason = policy.length > 0 ? policy.join(' ') : undefined
  const trail = { alias, attempt, ...(after && { after }), ...(streamReason && { streamReason }) }
  const recordId = world.record(made, trail)
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
