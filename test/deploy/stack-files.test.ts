import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import {
  alertmanagerConfig,
  type Places,
  prometheusConfig,
  secretsOf,
  type YamlMap,
} from '../../scripts/stack/monitoring.ts'
import { findPrograms } from '../../scripts/stack/programs.ts'
import { absentFiles } from '../../scripts/stack/stack.ts'

const places: Places = {
  deploy: '/here/deploy',
  folder: '/here/run',
  gatewayUrl: 'http://127.0.0.1:1111',
  receiverUrl: 'http://127.0.0.1:2222',
  mitigationToken: 'not-a-real-token',
}

const prometheusSample = `
global: { scrape_interval: 10s, evaluation_interval: 15s }
rule_files: [/etc/prometheus/rules/*.yml]
alerting: { alertmanagers: [{ timeout: 5s, static_configs: [{ targets: ["alertmanager:9093"] }] }] }
scrape_configs:
  - { job_name: worker, scrape_timeout: 5s, dns_sd_configs: [{ names: [worker], type: A, port: 9464 }] }
  - { job_name: prometheus, static_configs: [{ targets: ["localhost:9090"] }] }
`
const alertmanagerSample = `
global: { resolve_timeout: 5m, slack_api_url_file: /run/secrets/slack_webhook_url }
templates: [/etc/alertmanager/templates/*.tmpl]
route: { receiver: slack, group_by: [alertname], routes: [{ matchers: ['severity="critical"'], receiver: pages }] }
receivers:
  - { name: slack, slack_configs: [{ channel: "#alerts", title: '{{ template "t" . }}' }] }
  - name: pages
    pagerduty_configs: [{ routing_key_file: /run/secrets/pagerduty_routing_key }]
    webhook_configs:
      - { url: "http://gateway:8317/v1/mitigations", http_config: { authorization: { credentials_file: /run/secrets/token } } }
      - { url: "https://deadman.example.invalid/ping/x" }
inhibit_rules: [{ source_matchers: ['alertname="A"'], target_matchers: ['alertname="B"'], equal: [route] }]
`

/** The sample, which has every kind of difference, and the file of this checkout. */
const sources = (sample: string, file: string): [string, YamlMap][] => [
  ['a sample', parse(sample) as YamlMap],
  ...(existsSync(file) ? [[file, parse(readFileSync(file, 'utf8')) as YamlMap] as [string, YamlMap]] : []),
]

describe.each(sources(prometheusSample, 'deploy/prometheus/prometheus.yml'))(
  'Prometheus, %s',
  (_name, config) => {
    test('differs in where rules lie and targets are found, and in nothing else (M1, M2)', () => {
      const changed = differences(config, prometheusConfig(config, places))
      expect(
        changed.filter((path) => !/^rule_files\.|\.(static|dns_sd|file_sd)_configs\b/.test(path)),
      ).toEqual([])
      expect(changed.length).toBeGreaterThan(0)
    })

    test('finds the targets of each job in a file of its own', () => {
      const { scrape_configs: jobs } = prometheusConfig(config, places) as { scrape_configs: YamlMap[] }
      for (const job of jobs) {
        expect(job.file_sd_configs).toEqual([{ files: [`/here/run/targets/${job.job_name}.json`] }])
        expect(Object.keys(job).filter((key) => key.endsWith('_sd_configs'))).toEqual(['file_sd_configs'])
      }
    })
  },
)

describe.each(sources(alertmanagerSample, 'deploy/alertmanager/alertmanager.yml'))(
  'Alertmanager, %s',
  (_name, config) => {
    test('differs in addresses, secrets and the folder of templates, and in nothing else (M1, M2)', () => {
      const changed = differences(config, alertmanagerConfig(config, places))
      const allowed = /^templates\.|^global\.pagerduty_url$|_file$|^receivers\..*\.url$/
      expect(changed.filter((path) => !allowed.test(path))).toEqual([])
    })

    test('sends nothing beyond this machine', () => {
      const text = JSON.stringify(alertmanagerConfig(config, places).receivers)
      for (const [url] of text.matchAll(/https?:\/\/[^"/]+/g))
        expect(url).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/)
    })
  },
)

test('the mitigation webhook leads to the gateway, everything else to the receiver', () => {
  const text = JSON.stringify(alertmanagerConfig(parse(alertmanagerSample) as YamlMap, places))
  expect(text).toContain('"http://127.0.0.1:1111/v1/mitigations"')
  expect(text).toContain('"http://127.0.0.1:2222/ping/x"')
  expect(secretsOf(parse(alertmanagerSample) as YamlMap).sort()).toEqual([
    'pagerduty_routing_key',
    'slack_webhook_url',
    'token',
  ])
})

test('what is not installed is named, with the line that installs it', () => {
  expect(findPrograms('/nowhere')).toBe(
    'missing: redis-server, prometheus, prometheus-alertmanager. Install with: apt install redis-server prometheus prometheus-alertmanager',
  )
})

test('files that are absent are named', () => {
  expect(absentFiles('/nowhere')).toEqual([
    join('/nowhere', 'prometheus/prometheus.yml'),
    join('/nowhere', 'alertmanager/alertmanager.yml'),
  ])
})

/** Paths of the leaves that are not the same in both trees. */
function differences(one: unknown, other: unknown, path = ''): string[] {
  const isTree = (it: unknown): it is object => typeof it === 'object' && it !== null
  if (!isTree(one) || !isTree(other)) return one === other ? [] : [path]
  const keys = new Set([...Object.keys(one), ...Object.keys(other)])
  return [...keys].flatMap((key) =>
    differences(
      (one as Record<string, unknown>)[key],
      (other as Record<string, unknown>)[key],
      path === '' ? key : `${path}.${key}`,
    ),
  )
}
