import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { isOnPath } from '../programs.ts'
import { check } from './programs.ts'
import { alertRules, filesOf, looksByAlert, RULES, recordingRules, TESTS } from './rule-files.ts'

const hasPromtool = isOnPath('promtool')
if (!hasPromtool) console.warn('rules are not run: install the package "prometheus" to enable that')

describe.skipIf(!hasPromtool)('promtool', () => {
  test('finds nothing wrong with the rules', () => {
    expect(check('promtool', 'check', 'rules', ...filesOf(RULES))).toMatch(/SUCCESS/)
  })

  test('finds nothing wrong with the configuration, and the rules stand where it looks for them', () => {
    const said = check('promtool', 'check', 'config', 'deploy/prometheus/prometheus.yml')
    expect(said).toContain(`${filesOf(RULES).length} rule files found`)
  })

  test.each(filesOf(TESTS))('runs %s', { timeout: 60_000 }, (file) => {
    expect(check('promtool', 'test', 'rules', file)).toContain('SUCCESS')
  })
})

const looks = looksByAlert()
const headings = new Set(
  [...readFileSync('docs/runbooks.md', 'utf8').matchAll(/^## (.+)$/gm)].map(([, title]) => title),
)

test('there is an alert for each thing that was agreed', () => {
  expect(alertRules.map(({ alert }) => alert).sort()).toEqual([...AGREED].sort())
})

test("each of the plan's names is recorded or exported under exactly that name", () => {
  const recorded = recordingRules.map(({ record }) => record)
  for (const name of ['provider_html_payload_rate', 'provider_raw_excerpt_missing', 'provider_stall_count'])
    expect(recorded).toContain(name)
})

describe.each(alertRules)('$alert', ({ alert, labels, annotations }) => {
  const own = looks.get(alert) ?? []

  test('has a unit test in which it fires', () => {
    expect(own.flat().some(({ fires }) => fires)).toBe(true)
  })

  test('has unit tests in which it does not fire, and in which it resolves', () => {
    if (alert === 'Watchdog') return expect(own.flat().every(({ fires }) => fires)).toBe(true) // what it is for
    expect(own.some((test) => test.every(({ fires }) => !fires))).toBe(true)
    expect(own.some((test) => test.some(({ fires }) => fires) && test.at(-1)?.fires === false)).toBe(true)
  })

  test('says how urgent it is, what has happened, where to look and what to do', () => {
    expect(['critical', 'warning', 'info', 'none']).toContain(labels.severity)
    expect(labels.category).toMatch(/^[a-z]+$/)
    expect(annotations.summary).toMatch(/^[A-Z][^{]+\.$/)
    expect(annotations.description).toMatch(/\.$/)
    expect(annotations.dashboard).toMatch(/^\/d\/turnkeeper-[a-z]+/)
    expect(annotations.command).toMatch(/^turnkeeper [a-z]/)
    expect(annotations.runbook_url).toBe(`/docs/runbooks.md#${alert.toLowerCase()}`)
  })

  test('has a heading in the runbooks', () => {
    expect(headings).toContain(alert)
  })
})

test('no runbook is left of an alert that is gone', () => {
  const names = alertRules.map(({ alert }) => alert)
  expect([...headings].filter((title) => title !== undefined && !names.includes(title))).toEqual([])
})

const AGREED = [
  'ProviderHtmlPayloads',
  'ProviderRawExcerptMissing',
  'ProviderStreamStalled',
  'ProviderStreamStallsPersistent',
  'ModelErrorRatioHigh',
  'ModelErrorRatioCritical',
  'FirstChunkLatencyHigh',
  'ProviderAuthErrorsBurst',
  'ProviderRateLimitedBurst',
  'ProviderQuotaPressure',
  'RouteCircuitBreakerOpen',
  'AliasHasNoHealthyRoute',
  'RouteHealthScoreLow',
  'RouteMitigationActive',
  'RouteMitigationTooLong',
  'RouteMitigationFailed',
  'QueueOldestJobTooOld',
  'QueueBacklogGrowing',
  'WorkerJobsStalled',
  'WorkerDeaf',
  'TurnsNeedReview',
  'DeadLettersPresent',
  'WorkersAbsent',
  'TargetDown',
  'RedisUnavailable',
  'TurnErrorBudgetBurnFast',
  'TurnErrorBudgetBurnMedium',
  'TurnErrorBudgetBurnSlow',
  'CanaryFailing',
  'TranslationErrorsSpike',
  'AlertmanagerNotificationsFailing',
  'MetricCardinalityOverflow',
  'PlanMetricAbsent',
  'Watchdog',
]
