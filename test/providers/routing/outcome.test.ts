import { describe, expect, test } from 'vitest'
import { DEFAULTS } from '../../../src/config/defaults.ts'
import { REASONS, type Reason, TurnkeeperError } from '../../../src/errors.ts'
import { policyFromConfig, verdictOn } from '../../../src/providers/routing/breaker/rules.ts'
import { OUTCOMES, type Outcome, reportToOutcome } from '../../../src/providers/routing/outcome.ts'
import type { AttemptReport } from '../../../src/providers/upstream.ts'

const reportOf = (reason?: Reason, status?: number): AttemptReport => ({
  route: 'p/a',
  outcome: reason === undefined ? 'ok' : reason === 'cancelled' ? 'cancelled' : 'failed',
  phase: 'before_content',
  streamed: true,
  usage: null,
  durationMs: 1,
  idleMs: 0,
  ...(reason && { error: new TurnkeeperError(reason, 'x') }),
  ...(status !== undefined && { status }),
})

const cases: [Reason, Outcome, 'failed' | 'neutral'][] = [
  ['html_payload', 'html', 'failed'],
  ['non_json', 'invalid_response', 'failed'],
  ['sse_parse', 'invalid_response', 'failed'],
  ['stream_error', 'invalid_response', 'failed'],
  ['stall', 'stall', 'failed'],
  ['timeout_first_content', 'timeout', 'failed'],
  ['truncated_stream', 'network', 'failed'],
  ['dns', 'network', 'failed'],
  ['overloaded', 'http_5xx', 'failed'],
  ['invalid_key', 'auth', 'failed'],
  ['rate_limited', 'http_429', 'neutral'],
  ['quota_exhausted', 'http_429', 'neutral'],
  ['model_not_found', 'client_error', 'neutral'],
  ['context_length', 'client_error', 'neutral'],
  ['cancelled', 'cancelled', 'neutral'],
]

describe('the outcome of an attempt', () => {
  test.each(cases)('%s is %s, and says %s of the route', (reason, outcome, verdict) => {
    expect(reportToOutcome(reportOf(reason))).toBe(outcome)
    expect(verdictOn(reason)).toBe(verdict)
  })

  test('a good attempt is ok', () => {
    expect(reportToOutcome(reportOf())).toBe('ok')
  })

  test.each([
    [503, 'http_5xx'],
    [418, 'client_error'],
    [302, 'invalid_response'],
    [undefined, 'network'],
  ] as const)('an unknown failure with status %s is %s', (status, outcome) => {
    expect(reportToOutcome(reportOf('unknown', status))).toBe(outcome)
  })

  test('is one of the closed set for every reason there is', () => {
    const reasons = Object.keys(REASONS) as Reason[] // the table has these keys and no others
    for (const reason of reasons) expect(OUTCOMES).toContain(reportToOutcome(reportOf(reason)))
  })
})

test('every failure to answer in the protocol counts for the html rule, and a stall for its own', () => {
  const { rules } = policyFromConfig(DEFAULTS.breakers)
  expect(rules.map(({ name, over, ratio }) => [name, over, ratio])).toEqual([
    ['html', 3, 0.01],
    ['stall', 2, 0.01],
    ['errors', 0, 0.5],
    ['auth', 2, 0],
  ])
  expect(rules[0]?.reasons).toEqual(['html_payload', 'binary_payload', 'non_json', 'empty_body', 'sse_parse'])
})
