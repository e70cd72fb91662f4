import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import { isOnPath } from '../programs.ts'
import { check } from './programs.ts'
import { alertRules } from './rule-files.ts'

const FILE = 'deploy/alertmanager/alertmanager.yml'
const hasAmtool = isOnPath('amtool')
if (!hasAmtool) {
  console.warn(
    'routes of alerts are not tested: install the package "prometheus-alertmanager" to enable that',
  )
}

type Matching = { readonly source_matchers: string[]; readonly target_matchers: string[] }
type File = {
  readonly receivers: readonly { readonly name: string }[]
  readonly inhibit_rules: readonly Matching[]
}
const file = parse(readFileSync(FILE, 'utf8')) as File

/** Where an alert with these labels goes, in order. */
function receiversOf(labels: Readonly<Record<string, string>>): readonly string[] {
  const given = Object.entries(labels).map(([name, value]) => `${name}=${value}`)
  return check('amtool', 'config', 'routes', 'test', `--config.file=${FILE}`, ...given)
    .trim()
    .split(',')
}

const PEOPLE = ['pagerduty', 'slack-critical']
const EXPECTED: Readonly<Record<string, readonly string[]>> = {
  critical: PEOPLE,
  warning: ['slack-warnings'],
  info: ['slack-info'],
  none: ['nobody'],
}

describe.skipIf(!hasAmtool)('amtool', () => {
  test('finds nothing wrong with the configuration and its templates', () => {
    const said = check('amtool', 'check-config', FILE)
    expect(said).toContain('SUCCESS')
    expect(said).toContain(`${file.receivers.length} receivers`)
    expect(said).toContain('1 templates')
  })

  test.each(Object.entries(EXPECTED))('an alert that is %s goes where it belongs', (severity, receivers) => {
    expect(receiversOf({ alertname: 'Any', severity })).toEqual(receivers)
  })

  test('an alert without a severity is not lost', () => {
    expect(receiversOf({ alertname: 'Any' })).toEqual(['slack-warnings'])
  })

  test('where an alias can move, the machine is asked first and people are told all the same', () => {
    const labels = { alertname: 'Any', severity: 'critical', mitigation: 'fallback_alias' }
    expect(receiversOf(labels)).toEqual(['mitigation', ...PEOPLE])
  })

  test.each(alertRules)('$alert reaches somebody who acts on it', ({ alert, labels }) => {
    const found = receiversOf({ alertname: alert, ...labels })
    if (alert === 'Watchdog') return expect(found).toEqual(['deadman'])
    const first = 'mitigation' in labels ? ['mitigation'] : []
    expect(found).toEqual([...first, ...(EXPECTED[labels.severity ?? ''] ?? [])])
  })
})

test('no secret stands in the file', () => {
  const text = readFileSync(FILE, 'utf8').replaceAll(/#.*$/gm, '')
  expect(text).not.toMatch(
    /hooks\.slack\.com|\b(?:api_url|routing_key|service_key|credentials|password|token):/,
  )
  expect(text.match(/_file: \/run\/secrets\/\w+/g)?.length).toBe(3)
})

test('what silences and what is silenced are alerts that there are', () => {
  const names = alertRules.map(({ alert }) => alert)
  const matchers = file.inhibit_rules.flatMap((rule) => [...rule.source_matchers, ...rule.target_matchers])
  for (const matcher of matchers) {
    const [, label, operator, value = ''] = /^(\w+)(=~?)"(.+)"$/.exec(matcher) ?? []
    const pattern = new RegExp(`^(?:${operator === '=' ? value.replaceAll('.', '\\.') : value})$`)
    const known = label === 'alertname' ? names : alertRules.map(({ labels }) => labels[label ?? ''] ?? '')
    for (const one of operator === '=~' ? alternatives(value) : [value]) {
      const own = new RegExp(`^(?:${one})$`)
      expect(
        known.some((name) => own.test(name)),
        `${matcher}: ${one}`,
      ).toBe(true)
    }
    expect(
      known.some((name) => pattern.test(name)),
      matcher,
    ).toBe(true)
  }
})

test('nothing silences the Watchdog', () => {
  const targets = file.inhibit_rules.flatMap((rule) => rule.target_matchers)
  expect(targets.filter((matcher) => /Watchdog|category="telemetry"|severity="none"/.test(matcher))).toEqual(
    [],
  )
})

/** `A|B` at the outermost level. */
function alternatives(pattern: string): readonly string[] {
  return pattern.includes('(') ? [pattern] : pattern.split('|')
}
