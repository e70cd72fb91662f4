/** One attempt: one physical request, from the neutral request to parts and a report. No policy: see `Upstream`. */

import { TurnkeeperError } from '../../errors.ts'
import type { Redactor } from '../../telemetry/redaction.ts'
import type { ActiveSpan, Attributes, Telemetry } from '../../telemetry/telemetry.ts'
import type { HttpClient } from '../http.ts'
import type { Dialect } from '../protocols/dialects.ts'
import type { Protocol } from '../protocols/protocol.ts'
import type { EvidenceOptions } from '../recorder/evidence.ts'
import type { Limits, ModelRequest, PartSink, Timeouts } from '../types.ts'
import type { AttemptOptions, AttemptReport } from '../upstream.ts'
import { startRecord } from './attempt-record.ts'
import { buildHttpRequest } from './http-request.ts'
import { runExchange } from './running-attempt.ts'
import type { Silences } from './silences.ts'

/** What stays the same for all attempts on a route. */
export type Target = {
  readonly protocol: Protocol
  readonly dialect: Dialect
  readonly url: URL
  readonly model: string
  /** `provider/model`. */
  readonly route: string
  readonly provider: string
  readonly apiKey?: string
  readonly stream: boolean
  readonly headers: Readonly<Record<string, string>>
  readonly timeouts: Timeouts
  readonly limits: Limits
  readonly http: HttpClient
  readonly telemetry: Telemetry
  /** Of the span of each request. */
  readonly spanAttributes: Attributes
  /** Of what is quoted in errors. */
  readonly redactor: Redactor
  /** Where streams that are open show how silent they are. */
  readonly silences?: Silences
  /** How much of each exchange is kept for the recorder. */
  readonly evidence?: EvidenceOptions
}

/** What the span of a request to this URL says from its start. */
export function spanAttributesOf(url: URL, route: string): Attributes {
  return {
    'http.request.method': 'POST',
    'server.address': url.hostname,
    'server.port': Number(url.port) || (url.protocol === 'https:' ? 443 : 80),
    'turnkeeper.route': route,
  }
}

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
