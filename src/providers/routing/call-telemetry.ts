/** What a logical call and its attempts show of themselves: spans, histograms, one log line a failed attempt. */

import type { RouteConfig } from '../../config/config.ts'
import { ATTR } from '../../telemetry/semconv.ts'
import type { ActiveSpan, Attributes, KnownAs, Telemetry } from '../../telemetry/telemetry.ts'
import type { Price } from '../models/model-info.ts'
import { costOf } from '../models/pricing.ts'
import type { ModelRequest, PartSink } from '../types.ts'
import type { AttemptReport } from '../upstream.ts'
import type { AnswerFacts } from './commit-gate.ts'
import { captureContent } from './content.ts'
import type { Decision, RunOutcome } from './engine-types.ts'
import {
  countCost,
  countUsage,
  describeAttempt,
  logFailedAttempt,
  logNotSent,
  recordAttempt,
} from './metrics.ts'
import type { RouteTable } from './route-table.ts'
import { tellUntranslatable } from './translation.ts'

/** The span of a logical call, as the engine tells it of its course. */
export type CallSpan = {
  /** The alias or route asked for, as a label. */
  readonly alias: string
  /** The answer has begun. */
  readonly onContent: () => void
  /** What the parts of the answer go through. */
  readonly tap: (emit: PartSink) => PartSink
  readonly onAttempt: (route: RouteConfig, facts: AnswerFacts, report: AttemptReport) => void
}

type World = { readonly table: RouteTable; readonly telemetry: Telemetry; readonly clock: () => number }

export type CallAbout = { readonly request: ModelRequest; readonly knownAs?: KnownAs | undefined }

/** Runs `work` inside the `chat` span, which covers all retries and reroutes of the call. */
export function observeCall(
  { table, telemetry, clock }: World,
  { request, knownAs }: CallAbout,
  work: (span: CallSpan) => Promise<RunOutcome>,
): Promise<RunOutcome> {
  const { model = '', parameters } = request
  const alias = table.aliasLabel(model)
  const expected = table.find(model)?.routes[0]
  const attributes = {
    [ATTR.operationName]: 'chat',
    [ATTR.requestModel]: alias,
    [ATTR.providerName]: expected?.provider,
    [ATTR.requestStream]: true,
    [ATTR.requestMaxTokens]: parameters?.maxTokens,
  }
  return telemetry.observe(
    'chat',
    attributes,
    async (span) => {
      const startedAt = clock()
      const seconds = (): number => (clock() - startedAt) / 1000
      let firstContentSeconds: number | undefined
      let last: Answered | undefined
      const content = span.capturesContent ? captureContent(request) : undefined
      const outcome = await work({
        alias,
        tap: (emit) => content?.tap(emit) ?? emit,
        onContent: () => {
          firstContentSeconds ??= seconds()
        },
        onAttempt: (route, facts, report) => {
          last = { route, facts, report }
        },
      })
      if (last !== undefined) {
        const { route } = table.labels(last.route)
        const labels = { gen_ai_operation_name: 'chat', gen_ai_request_model: alias, route }
        telemetry.record('gen_ai_client_inference_duration_seconds', labels, seconds())
        if (firstContentSeconds !== undefined)
          telemetry.record('gen_ai_client_inference_time_to_first_chunk_seconds', labels, firstContentSeconds)
        span.set(answerAttributes(last, firstContentSeconds))
      }
      if (content !== undefined) span.set(content.attributes())
      closeSpan(span, outcome)
      return outcome
    },
    knownAs && { knownAs },
  )
}

type Answered = { readonly route: RouteConfig; readonly facts: AnswerFacts; readonly report: AttemptReport }

function answerAttributes(
  { route, facts, report: { usage, error } }: Answered,
  firstContentSeconds: number | undefined,
): Attributes {
  return {
    [ATTR.responseTimeToFirstChunk]: firstContentSeconds,
    [ATTR.providerName]: route.provider,
    'turnkeeper.route': route.name,
    [ATTR.responseModel]: facts.model ?? undefined,
    [ATTR.responseId]: facts.requestId ?? undefined,
    [ATTR.responseFinishReasons]: finishReasons(facts, error),
    [ATTR.usageInputTokens]: usage?.inputTokens ?? undefined,
    [ATTR.usageOutputTokens]: usage?.outputTokens ?? undefined,
    [ATTR.usageCacheReadInputTokens]: usage?.cachedInputTokens ?? undefined,
    [ATTR.usageReasoningOutputTokens]: usage?.reasoningTokens ?? undefined,
  }
}

/** An array, as the convention has it: one answer may hold several choices; ours holds one. */
function finishReasons({ finishReason }: AnswerFacts, error: unknown): readonly string[] | undefined {
  if (error !== undefined) return ['error']
  return finishReason == null ? undefined : [finishReason]
}

function closeSpan(span: ActiveSpan, { outcome, attempts, error }: RunOutcome): void {
  span.set({ 'attempt.count': attempts.length })
  if (outcome === 'cancelled') span.set({ cancelled: true })
  else if (error !== undefined) span.fail(error.code)
}

export type AttemptAbout = {
  readonly route: RouteConfig
  readonly alias: string
  /** 1 for the first attempt of the call. */
  readonly number: number
  /** The decision that led to this attempt. */
  readonly after: Decision | undefined
  /** Why it is not asked in the usual way. */
  readonly policy: readonly string[]
  /** Undefined where it is not known. */
  readonly price: Price | undefined
}

/** Runs one attempt inside its `provider_attempt` span and counts it. */
export function observeAttempt(
  { table, telemetry }: World,
  { route, alias, number, after, policy, price }: AttemptAbout,
  attempt: () => Promise<AttemptReport>,
): Promise<AttemptReport> {
  const labels = table.labels(route)
  const isMoved = after !== undefined && after.from !== after.to
  const about: Attributes = {
    route: route.name,
    alias,
    'attempt.number': number,
    'reroute.from': isMoved ? after.from : undefined,
    'reroute.reason': isMoved ? after.reason : undefined,
    'retry.reason': isMoved ? undefined : after?.reason,
    'attempt.policy': policy.length > 0 ? policy.join(' ') : undefined,
  }
  return telemetry.observe('provider_attempt', about, async (span) => {
    const report = await attempt()
    const costUsd = costOf(price, report.usage)
    describeAttempt(span, report)
    span.set({ 'cost.usd': costUsd })
    if (costUsd !== undefined) countCost(telemetry, labels, costUsd)
    if (report.outcome === 'failed') span.fail(report.error?.code ?? 'unknown')
    recordAttempt(telemetry, labels, report)
    countUsage(telemetry, { alias, route: labels.route }, report.usage)
    const { untranslatable: what } = report
    if (what !== undefined) tellUntranslatable({ table, telemetry }, { route, alias, what })
    logNotSent(telemetry, report, { route: route.name, alias })
    logFailedAttempt(telemetry, report, { route: route.name, alias, attempt: number })
    return report
  })
}
