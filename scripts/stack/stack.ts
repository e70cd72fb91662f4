/**
 * The stack of deploy/docker-compose.yml as processes of this machine: Redis, the simulated upstream, workers, the
 * gateway, the canary, Prometheus and Alertmanager, on free ports, with the configuration, rules, routes and templates of `deploy/`.
 *
 *   starting (Redis and upstream → workers and gateway → Prometheus and Alertmanager) → running → closed (in reverse)
 *
 * S1. Whatever was started is stopped, when a later part does not start, too.
 * S2. Everything that is written lies in one folder.
 */

import { randomBytes } from 'node:crypto'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { parse, stringify } from 'yaml'
import { type Application, startApplication, type Worker } from './application.ts'
import {
  ALERTMANAGERS,
  alertmanagerConfig,
  jobsOf,
  type Places,
  prometheusConfig,
  secretsOf,
  targetFile,
  type YamlMap,
} from './monitoring.ts'
import { untilAnswers } from './processes.ts'
import type { Programs } from './programs.ts'
import type { Receiver } from './receiver.ts'
import { freePort, openSite, type Site } from './site.ts'

export type StackOptions = {
  readonly programs: Programs
  /** Gets what would go to Slack, PagerDuty and others. */
  readonly receiver: Receiver
  /** Emptied, then written to. */
  readonly folder: string
  /** Where `prometheus/` and `alertmanager/` lie; default `deploy`. */
  readonly monitoring?: string
  /** Of workers and gateway; default `deploy/turnkeeper/turnkeeper.config.yaml`. */
  readonly configFile?: string
  /** More variables for that file. */
  readonly env?: Readonly<Record<string, string>>
  /** A duration between rounds of the canary; default as in the container. */
  readonly canaryEvery?: string
  /** More flags of Prometheus. */
  readonly prometheusFlags?: readonly string[]
}

export type Stack = Omit<Application, 'startWorker' | 'workers' | 'gatewayMetrics' | 'canaryMetrics'> & {
  readonly prometheusUrl: string
  readonly alertmanagerUrl: string
  readonly folder: string
  /** Kills a worker as a machine that fails would, and starts another one in its place. */
  replaceWorker(index: number): Promise<void>
  /** Kills all of them and starts none. */
  killWorkers(): Promise<void>
  killPrometheus(): Promise<void>
  close(): Promise<void>
}

/** What of `deploy/` must be there. */
const NEEDED = ['prometheus/prometheus.yml', 'alertmanager/alertmanager.yml']

/** The files of `monitoring` that are absent, or nothing. */
export function absentFiles(monitoring = 'deploy'): string[] {
  return NEEDED.map((file) => join(monitoring, file)).filter((file) => !existsSync(file))
}

/** Starts everything and resolves when all of it answers. */
export async function startStack(options: StackOptions): Promise<Stack> {
  const site = openSite(options.folder)
  try {
    const mitigationToken = randomBytes(16).toString('hex')
    const application = await startApplication(site, {
      programs: options.programs,
      deploy: resolve('deploy'),
      configFile: resolve(options.configFile ?? 'deploy/turnkeeper/turnkeeper.config.yaml'),
      env: { ALERT_TOKEN: mitigationToken, ...options.env },
      canaryEvery: options.canaryEvery,
    })
    const { gatewayUrl } = application
    const places: Places = {
      deploy: resolve(options.monitoring ?? 'deploy'),
      folder: site.folder,
      gatewayUrl,
      receiverUrl: options.receiver.url,
      mitigationToken,
    }
    const urls = await startMonitoring(site, { application, places, options })
    return running(site, { application, places, urls })
  } catch (error) {
    await site.close()
    throw error
  }
}

type Urls = { readonly prometheusUrl: string; readonly alertmanagerUrl: string }
type Parts = { readonly application: Application; readonly places: Places }

function running(site: Site, { application, places, urls }: Parts & { readonly urls: Urls }): Stack {
  const { startWorker, workers: first, gatewayMetrics: _, canaryMetrics: __, ...addresses } = application
  const workers = [...first]
  return {
    ...addresses,
    ...urls,
    folder: site.folder,
    async replaceWorker(index) {
      await workers[index]?.process.stop('SIGKILL')
      workers[index] = await startWorker()
      writeTargets(places, 'worker', metricsOf(workers))
    },
    async killWorkers() {
      await Promise.all(workers.map(({ process }) => process.stop('SIGKILL')))
    },
    killPrometheus: () => site.kill('prometheus'),
    close: () => site.close(),
  }
}

async function startMonitoring(
  site: Site,
  { application, places, options }: Parts & { readonly options: StackOptions },
): Promise<Urls> {
  const prometheus = readYaml(join(places.deploy, 'prometheus/prometheus.yml'))
  const alertmanager = readYaml(join(places.deploy, 'alertmanager/alertmanager.yml'))
  const own = `127.0.0.1:${await freePort()}`
  const alerts = `127.0.0.1:${await freePort()}`
  const targets: Readonly<Record<string, readonly string[]>> = {
    gateway: [application.gatewayMetrics],
    canary: [application.canaryMetrics],
    worker: metricsOf(application.workers),
    prometheus: [own],
    alertmanager: [alerts],
    [ALERTMANAGERS]: [alerts],
  }
  for (const job of [...jobsOf(prometheus), ALERTMANAGERS]) writeTargets(places, job, targets[job] ?? [])
  writeSecrets(site, secretsOf(alertmanager), places)
  writeFileSync(site.at('prometheus.yml'), stringify(prometheusConfig(prometheus, places)))
  writeFileSync(site.at('alertmanager.yml'), stringify(alertmanagerConfig(alertmanager, places)))
  site.start('alertmanager', options.programs.alertmanager, {
    args: [
      `--config.file=${site.at('alertmanager.yml')}`,
      `--storage.path=${site.at('alertmanager')}`,
      `--web.listen-address=${alerts}`,
      // A single one needs no cluster, and so no port for it.
      '--cluster.listen-address=',
    ],
  })
  site.start('prometheus', options.programs.prometheus, {
    args: [
      `--config.file=${site.at('prometheus.yml')}`,
      `--storage.tsdb.path=${site.at('prometheus')}`,
      `--web.listen-address=${own}`,
      ...(options.prometheusFlags ?? []),
    ],
  })
  await Promise.all([own, alerts].map((address) => untilAnswers(`http://${address}/-/ready`)))
  return { prometheusUrl: `http://${own}`, alertmanagerUrl: `http://${alerts}` }
}

/** Addresses that are secret lead to the receiver; the gateway knows the token of mitigations; keys are random. */
function writeSecrets(site: Site, names: readonly string[], { receiverUrl, mitigationToken }: Places): void {
  for (const name of names) {
    const isAddress = name.includes('url')
    const key = name === 'mitigation_token' ? mitigationToken : randomBytes(16).toString('hex')
    writeFileSync(site.at('secrets', name), isAddress ? `${receiverUrl}/${name}` : key, { mode: 0o600 })
  }
}

function writeTargets(places: Places, job: string, targets: readonly string[]): void {
  writeFileSync(targetFile(places, job), JSON.stringify([{ targets }]))
}

const metricsOf = (workers: readonly Worker[]): string[] => workers.map(({ metrics }) => metrics)

const readYaml = (file: string): YamlMap => parse(readFileSync(file, 'utf8')) as YamlMap
