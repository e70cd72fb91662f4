/**
 * When a route opens, as rows of data. A rule is broken by the failure that makes all three true within its window:
 * more than `over` failures, at least `min` attempts, at least `ratio` of the attempts failed.
 */

import type { Config } from '../../../config/config.ts'
import { REASONS, type Reason } from '../../../errors.ts'

export type Rule = {
  /** Also the reason of the transition. */
  readonly name: 'html' | 'stall'
  /** Failures that count. */
  readonly reasons: readonly Reason[]
  readonly over: number
  readonly min: number
  readonly ratio: number
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

/** The policy of a configuration: one row a section under `breakers`. */
export function policyFromConfig({ html, stall }: Config['breakers']): BreakerPolicy {
  const row = ({ minRatio, ...rest }: typeof html, more: Pick<Rule, 'name' | 'reasons'>): Rule => ({
    ...more,
    ...rest,
    min: 0,
    ratio: minRatio,
  })
  return {
    rules: [
      row(html, { name: 'html', reasons: NOT_THE_ANSWER_ASKED_FOR }),
      row(stall, { name: 'stall', reasons: ['stall'] }),
    ],
    recoverAfterSuccesses: 5,
    recoverAfterMs: 60_000,
    forgetAfterMs: 30 * 60_000,
  }
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
