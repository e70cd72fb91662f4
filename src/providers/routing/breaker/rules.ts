/**
 * When a route or a credential opens, as rows of data. A rule is broken by the failure that makes all three true within its window:
 * more than `over` failures, at least `min` attempts, at least `ratio` of the attempts failed. With `warn` it degrades
 * at that share already.
 */

import type { Config } from '../../../config/config.ts'
import { REASONS, type Reason } from '../../../errors.ts'

export type Rule = {
  /** Also the reason of the transition. */
  readonly name: 'html' | 'stall' | 'errors' | 'auth'
  /** Failures that count. */
  readonly reasons: readonly Reason[]
  readonly over: number
  readonly min: number
  readonly ratio: number
  readonly warn?: number
  readonly windowMs: number
  /** Open time of the first opening; doubled at each further one up to `maxMs`. */
  readonly openMs: number
  readonly maxMs: number
}

/** What a breaker needs to know besides what happens. */
export type BreakerPolicy = {
  readonly rules: readonly Rule[]
  /** A degraded route closes after this many successes in a row … */
  readonly recoverAfterSuccesses: number
  /** … or after this long without a failure. */
  readonly recoverAfterMs: number
  /** A route that has been back for so long opens as if for the first time. */
  readonly forgetAfterMs: number
}

const NOT_THE_ANSWER_ASKED_FOR = [
  'html_payload',
  'binary_payload',
  'non_json',
  'empty_body',
  'sse_parse',
] as const satisfies readonly Reason[]

const REFUSALS = ['invalid_key', 'forbidden'] as const satisfies readonly Reason[]

/** Whatever is the upstream's making; a refusal counts by its own rule. */
const ANY_FAILURE = (Object.keys(REASONS) as Reason[]).filter(
  (reason) => verdictOn(reason) === 'failed' && !isRefusal(reason),
)

const TIMES = { recoverAfterSuccesses: 5, recoverAfterMs: 60_000, forgetAfterMs: 30 * 60_000 } as const

/** The policy of routes: one row a section under `breakers`. A refusal counts here only when it is an outage (D12). */
export function policyFromConfig({ html, stall, errors, auth }: Config['breakers']): BreakerPolicy {
  const row = ({ minRatio, ...rest }: typeof html, more: Pick<Rule, 'name' | 'reasons'>): Rule => ({
    ...more,
    ...rest,
    min: 0,
    ratio: minRatio,
  })
  const { openMs, maxMs } = errors
  return {
    rules: [
      row(html, { name: 'html', reasons: NOT_THE_ANSWER_ASKED_FOR }),
      row(stall, { name: 'stall', reasons: ['stall'] }),
      { name: 'errors', reasons: ANY_FAILURE, over: 0, ...errors },
      { name: 'auth', reasons: REFUSALS, ...auth, min: 0, ratio: 0, openMs, maxMs },
    ],
    ...TIMES,
  }
}

/** A model list is asked for after 1, 2, 4, 8 and then every 15 minutes. */
const CREDENTIAL_OPEN = { openMs: 60_000, maxMs: 15 * 60_000 } as const

/** The policy of credentials: only refusals count. */
export function credentialPolicyFromConfig({ auth }: Config['breakers']): BreakerPolicy {
  return {
    rules: [{ name: 'auth', reasons: REFUSALS, ...auth, min: 0, ratio: 0, ...CREDENTIAL_OPEN }],
    ...TIMES,
  }
}

/** Whether an upstream has refused the credential itself. */
export function isRefusal(reason: Reason): boolean {
  return reason === 'invalid_key' || reason === 'forbidden'
}

/**
 * What a failure says of its route. `neutral`: the request or its sender was at fault, the limit of a credential
 * was reached, or somebody cancelled; none of that says anything about the route.
 */
export function verdictOn(reason: Reason): 'failed' | 'neutral' {
  switch (REASONS[reason].category) {
    case 'server':
    case 'network':
    case 'auth':
    case 'unknown':
      return 'failed'
    default:
      return 'neutral'
  }
}
