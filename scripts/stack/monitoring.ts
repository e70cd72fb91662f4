/**
 * The files of Prometheus and Alertmanager for processes of this machine, from those for containers.
 *
 * M1. Rules, routes, groupings, inhibitions, intervals and templates stay as they are, word for word.
 * M2. What differs: where targets are found (`file_sd_configs`), where rules, templates and secrets lie, and the
 *     addresses that notifications go to.
 */

import { join } from 'node:path'
import { PAGERDUTY_PATH } from './wire.ts'

type Yaml = string | number | boolean | null | readonly Yaml[] | { readonly [key: string]: Yaml }
export type YamlMap = { readonly [key: string]: Yaml }

export type Places = {
  /** The folder that has `prometheus/` and `alertmanager/`. */
  readonly deploy: string
  /** Of this run: targets and secrets are written here. */
  readonly folder: string
  readonly gatewayUrl: string
  /** Takes the place of Slack, PagerDuty and whoever else is notified. */
  readonly receiverUrl: string
  /** The gateway's `server.alertToken`. */
  readonly mitigationToken: string
}

const DISCOVERY = /^(?:static|dns_sd|file_sd)_configs$/
/** The name of the file of targets for alerts themselves. */
export const ALERTMANAGERS = 'alertmanagers'

/** The file in which the targets of a job stand. */
export function targetFile({ folder }: Pick<Places, 'folder'>, job: string): string {
  return join(folder, 'targets', `${job}.json`)
}

/** Prometheus's configuration: other targets, and rules by their path in the repository. */
export function prometheusConfig(config: YamlMap, places: Places): YamlMap {
  const found = (entry: Yaml, job: string): Yaml => {
    const kept = Object.entries(entry as YamlMap).filter(([key]) => !DISCOVERY.test(key))
    return { ...Object.fromEntries(kept), file_sd_configs: [{ files: [targetFile(places, job)] }] }
  }
  const alerting = (config.alerting ?? {}) as YamlMap
  return {
    ...config,
    rule_files: listOf(config.rule_files).map((file) =>
      join(places.deploy, 'prometheus', String(file).replace(/^\/etc\/prometheus\//, '')),
    ),
    scrape_configs: listOf(config.scrape_configs).map((entry) =>
      found(entry, String((entry as YamlMap).job_name)),
    ),
    alerting: {
      ...alerting,
      alertmanagers: listOf(alerting.alertmanagers).map((entry) => found(entry, ALERTMANAGERS)),
    },
  }
}

/** The jobs that it scrapes. */
export function jobsOf(config: YamlMap): string[] {
  return listOf(config.scrape_configs).map((entry) => String((entry as YamlMap).job_name))
}

/** Alertmanager's configuration: other addresses, secrets and templates by their path. */
export function alertmanagerConfig(config: YamlMap, places: Places): YamlMap {
  const { templates, ...rest } = config
  return {
    ...(mapText(rest, (text, key) => substitute(text, key, places)) as YamlMap),
    global: {
      ...(mapText(rest.global ?? {}, (text, key) => substitute(text, key, places)) as YamlMap),
      pagerduty_url: `${places.receiverUrl}${PAGERDUTY_PATH}`,
    },
    templates: listOf(templates).map((file) =>
      join(places.deploy, 'alertmanager', String(file).replace(/^\/etc\/alertmanager\//, '')),
    ),
  }
}

/** Names of the secrets that it reads from files. */
export function secretsOf(config: YamlMap): string[] {
  const names = new Set<string>()
  mapText(config, (text) => {
    const [, name] = SECRET.exec(text) ?? []
    if (name !== undefined) names.add(name)
    return text
  })
  return [...names]
}

const SECRET = /^\/run\/secrets\/([\w-]+)$/

function substitute(text: string, key: string, { folder, gatewayUrl, receiverUrl }: Places): string {
  const [, secret] = SECRET.exec(text) ?? []
  if (secret !== undefined) return join(folder, 'secrets', secret)
  if (key !== 'url') return text
  const { hostname, pathname } = new URL(text)
  return hostname === 'gateway' ? `${gatewayUrl}${pathname}` : `${receiverUrl}${pathname}`
}

/** The same tree with every text replaced by what `change` makes of it. */
function mapText(value: Yaml, change: (text: string, key: string) => string, key = ''): Yaml {
  if (typeof value === 'string') return change(value, key)
  if (Array.isArray(value)) return value.map((item: Yaml) => mapText(item, change, key))
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(
    Object.entries(value as YamlMap).map(([name, item]) => [name, mapText(item, change, name)]),
  )
}

function listOf(value: Yaml | undefined): readonly Yaml[] {
  return Array.isArray(value) ? value : []
}
