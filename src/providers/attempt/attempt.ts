/** One attempt: one physical request, from the neutral request to parts and a report. No policy: see `Upstream`. */

import { TurnkeeperError } from '../../errors.ts'
import type { ActiveSpan } from '../../telemetry/telemetry.ts'
import type { ModelRequest, PartSink } from '../types.ts'
import type { AttemptOptions, AttemptReport } from '../upstream.ts'
import { startRecord } from './attempt-record.ts'
import { buildHttpRequest } from './http-request.ts'
import { runExchange } from './running-attempt.ts'
import type { Target } from './target.ts'

const NO_OPTIONS: AttemptOptions = {}

/** Makes one request and resolves when its fate is known. Never rejects for what an upstream did. */
export function runAttempt(
  target: Target,
  request: ModelRequest,
  emit: PartSink,
  options: AttemptOptions = NO_OPTIONS,
): Promise<AttemptReport> {
  return target.telemetry.observe('POST', target.spanAttributes, async (span) => {
    const report = await attempt(target, request, emit, options)
    describeResponse(span, report)
    return report
  })
}

function describeResponse(span: ActiveSpan, { status, error }: AttemptReport): void {
  span.set({ 'http.response.status_code': status })
  if (error) span.fail(error.code)
}

function attempt(
  target: Target,
  request: ModelRequest,
  emit: PartSink,
  options: AttemptOptions,
): Promise<AttemptReport> {
  const { route, provider, evidence } = target
  const { stream: streamed = target.stream } = options
  const record = startRecord({ route, provider, streamed, evidence })
  const built = buildHttpRequest(target, request, options)
  if (!(built instanceof TurnkeeperError)) return runExchange(target, { built, record, emit, options })
  const report = record.toReport({ error: built, contentKind: undefined, idleMs: 0 })
  return Promise.resolve({ ...report, untranslatable: [built.message] })
}
