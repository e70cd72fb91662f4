import type { Telemetry } from '../../../telemetry/telemetry.ts'
import type { ModelRequest } from '../../types.ts'
import type { AttemptReport, Upstream } from '../../upstream.ts'
import { describeAttempt } from '../metrics.ts'
import type { Probe } from './health.ts'
import { verdictOn } from './rules.ts'

/** Enough tokens that a reasoning model may answer; one alone makes them fail (BerriAI/litellm#26987). */
const PROBE_REQUEST: ModelRequest = {
  messages: [{ role: 'user', content: 'Reply with OK.' }],
  parameters: { maxTokens: 16 },
}

export type ProbeOptions = {
  readonly upstreamOf: (route: string) => Upstream | undefined
  /** The key of a probe. Default: the upstream's own. */
  readonly tokenOf?: (route: string) => Promise<string | undefined>
  readonly telemetry: Telemetry
  /** Told of every probe that was sent. */
  readonly onReport?: (report: AttemptReport) => void
}

/**
 * A probe through the route's own upstream, without a stream. Any proper answer is good news, a refusal of this very
 * request and a used-up limit among them: traffic returns by evidence anyway.
 */
export function createProbe(options: ProbeOptions): Probe {
  const { upstreamOf, tokenOf = async () => undefined, telemetry, onReport = () => {} } = options
  return (route, signal) =>
    telemetry.observe('provider_attempt', { route, probe: true }, async (span) => {
      const upstream = upstreamOf(route)
      if (upstream === undefined) return 'failed'
      const apiKey = await tokenOf(route)
      const report = await upstream.attempt(PROBE_REQUEST, () => {}, {
        signal,
        stream: false,
        ...(apiKey !== undefined && { apiKey }),
      })
      onReport(report)
      describeAttempt(span, report)
      if (report.error === undefined) return 'ok'
      const { reason, code } = report.error
      if (reason !== 'cancelled' && verdictOn(reason) === 'neutral') return 'ok'
      span.fail(code)
      return 'failed'
    })
}
