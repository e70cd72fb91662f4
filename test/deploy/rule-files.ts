/** The rules and their unit tests as they are shipped. */

import { readdirSync, readFileSync } from 'node:fs'
import { parse } from 'yaml'

export type AlertRule = {
  readonly alert: string
  readonly expr: string
  readonly for?: string
  readonly keep_firing_for?: string
  readonly labels: Readonly<Record<string, string>>
  readonly annotations: Readonly<Record<string, string>>
}
export type RecordingRule = { readonly record: string; readonly expr: string }

/** When an alert is looked at in a unit test, in the order of time, and whether it fires then. */
export type Look = { readonly atSeconds: number; readonly fires: boolean }

export const RULES = 'deploy/prometheus/rules'
export const TESTS = 'deploy/prometheus/tests'
export const filesOf = (folder: string): string[] =>
  readdirSync(folder)
    .sort()
    .map((name) => `${folder}/${name}`)

type RuleFile<Rule> = { readonly groups: readonly { readonly rules: readonly Rule[] }[] }

export const alertRules: readonly AlertRule[] = rulesOf<AlertRule>('alerts.yml')
export const recordingRules: readonly RecordingRule[] = rulesOf<RecordingRule>('recording.yml')

/** Per alert, the looks of each unit test that names it. */
export function looksByAlert(): ReadonlyMap<string, readonly (readonly Look[])[]> {
  type Checked = { readonly eval_time: string; readonly alertname: string; readonly exp_alerts?: unknown[] }
  type TestFile = { readonly tests: readonly { readonly alert_rule_test?: readonly Checked[] }[] }
  const looks = new Map<string, (readonly Look[])[]>()
  for (const file of filesOf(TESTS)) {
    for (const { alert_rule_test: checks = [] } of (parse(readFileSync(file, 'utf8')) as TestFile).tests) {
      for (const name of new Set(checks.map(({ alertname }) => alertname))) {
        const own = checks
          .filter(({ alertname }) => alertname === name)
          .map(({ eval_time, exp_alerts = [] }) => ({
            atSeconds: seconds(eval_time),
            fires: exp_alerts.length > 0,
          }))
          .sort((a, b) => a.atSeconds - b.atSeconds)
        looks.set(name, [...(looks.get(name) ?? []), own])
      }
    }
  }
  return looks
}

function rulesOf<Rule>(file: string): readonly Rule[] {
  const { groups } = parse(readFileSync(`${RULES}/${file}`, 'utf8')) as RuleFile<Rule>
  return groups.flatMap(({ rules }) => rules)
}

/** `1h20m` and the like. */
function seconds(duration: string): number {
  const units: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3600, d: 86_400 }
  const parts = [...duration.matchAll(/(\d+)([smhd])/g)]
  return parts.reduce((sum, [, count, unit = 's']) => sum + Number(count) * (units[unit] ?? 1), 0)
}
